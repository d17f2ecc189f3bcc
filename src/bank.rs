//! The banks behind the direct-debit types.

use crate::AccountType;

/// A bank that customers can link, with the names they know it by.
///
/// ```
/// use omise_linked_accounts::{AccountType, Bank};
///
/// let bank = Bank::of(&AccountType::DirectDebitKbank).unwrap();
/// assert_eq!((bank.short_code, bank.name_th), ("KBANK", "ธนาคารกสิกรไทย"));
/// ```
///
/// Source: Omise "Direct Debit"; the names are the banks' own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bank {
    /// The short code that Thai customers know, such as `KBANK`.
    pub short_code: &'static str,
    /// Name in English.
    pub name_en: &'static str,
    /// Name in Thai.
    pub name_th: &'static str,
    /// Name in Japanese.
    pub name_ja: &'static str,
}

impl Bank {
    /// The bank of a direct-debit type; `None` for every other type.
    #[must_use]
    pub const fn of(account_type: &AccountType) -> Option<Self> {
        let (short_code, name_en, name_th, name_ja) = match account_type {
            AccountType::DirectDebitBay => {
                ("BAY", "Bank of Ayudhya (Krungsri)", "ธนาคารกรุงศรีอยุธยา", "アユタヤ銀行（クルンシィ）")
            }
            AccountType::DirectDebitBbl => ("BBL", "Bangkok Bank", "ธนาคารกรุงเทพ", "バンコク銀行"),
            AccountType::DirectDebitKbank => ("KBANK", "Kasikornbank", "ธนาคารกสิกรไทย", "カシコン銀行"),
            AccountType::DirectDebitKtb => ("KTB", "Krungthai Bank", "ธนาคารกรุงไทย", "クルンタイ銀行"),
            AccountType::DirectDebitScb => ("SCB", "Siam Commercial Bank", "ธนาคารไทยพาณิชย์", "サイアム商業銀行"),
            _ => return None,
        };
        Some(Self { short_code, name_en, name_th, name_ja })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_direct_debit_type_has_a_bank_and_nothing_else_does() {
        for t in AccountType::DIRECT_DEBIT {
            assert!(Bank::of(&t).is_some(), "{t}");
        }
        assert_eq!(Bank::of(&AccountType::Individual), None);
        assert_eq!(Bank::of(&AccountType::from("direct_debit_uob")), None);
    }
}
