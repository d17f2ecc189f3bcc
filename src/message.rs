//! What to tell a bank customer, in English, Thai or Japanese: what happened, and what to do next.
//!
//! The words are ours. Omise's own `message` and `failure_message` are for developers, in English only, and may repeat what
//! somebody typed.

use crate::{IssueCode, Reason};

/// A language that there are words in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Locale {
    /// English.
    #[default]
    En,
    /// Thai.
    Th,
    /// Japanese.
    Ja,
}

impl Locale {
    /// Every locale.
    pub const ALL: [Self; 3] = [Self::En, Self::Th, Self::Ja];

    /// The locale for a language tag (RFC 5646), by its primary language; English for any other.
    ///
    /// ```
    /// use omise_linked_accounts::message::Locale;
    ///
    /// assert_eq!(Locale::from_tag("th-TH"), Locale::Th);
    /// assert_eq!(Locale::from_tag("de"), Locale::En);
    /// ```
    #[must_use]
    pub fn from_tag(tag: &str) -> Self {
        match tag.split(['-', '_']).next() {
            Some(language) if language.eq_ignore_ascii_case("th") => Self::Th,
            Some(language) if language.eq_ignore_ascii_case("ja") => Self::Ja,
            _ => Self::En,
        }
    }

    fn pick(self, [en, th, ja]: [&'static str; 3]) -> &'static str {
        match self {
            Self::En => en,
            Self::Th => th,
            Self::Ja => ja,
        }
    }
}

/// What to tell a customer whose request met `reason`.
///
/// ```
/// use omise_linked_accounts::{Reason, message::{Locale, reason}};
///
/// assert_eq!(reason(Reason::NetworkFailed, Locale::En), "No connection. Check your internet, then try again.");
/// ```
#[must_use]
pub fn reason(reason: Reason, locale: Locale) -> &'static str {
    locale.pick(match reason {
        Reason::AlreadyPending => [
            "You have already started linking an account at this bank. Finish it at the bank, or start over.",
            "คุณเริ่มผูกบัญชีกับธนาคารนี้ไว้แล้ว โปรดทำต่อที่ธนาคาร หรือเริ่มใหม่",
            "この銀行での口座連携はすでに始まっています。銀行で手続きを続けるか、最初からやり直してください。",
        ],
        Reason::TooManyCreates => [
            "You have started linking an account too often today. Finish at the bank what you have started, or try again tomorrow.",
            "วันนี้คุณเริ่มผูกบัญชีหลายครั้งเกินไป โปรดทำรายการที่เริ่มไว้กับธนาคารให้เสร็จ หรือลองใหม่พรุ่งนี้",
            "本日の口座連携の開始回数が上限に達しました。開始済みの手続きを銀行で終えるか、明日もう一度お試しください。",
        ],
        Reason::NotRegistered => [
            "This account is not linked, so there is nothing to unlink.",
            "บัญชีนี้ยังไม่ได้ผูกไว้ จึงไม่มีอะไรให้ยกเลิก",
            "この口座は連携されていないため、解除するものがありません。",
        ],
        Reason::NotFound => [
            "We cannot find this account among yours. Check that you are signed in as the customer who linked it.",
            "ไม่พบบัญชีนี้ในรายการของคุณ โปรดตรวจสอบว่าคุณเข้าสู่ระบบด้วยชื่อที่ใช้ผูกบัญชี",
            "お客様の口座の中に見つかりません。連携したときと同じお客様としてログインしているかご確認ください。",
        ],
        Reason::Unauthenticated | Reason::TokenUnavailable => [
            "Your sign-in has ended. Sign in again, then try once more.",
            "การเข้าสู่ระบบของคุณหมดอายุแล้ว โปรดเข้าสู่ระบบอีกครั้งแล้วลองใหม่",
            "ログインの有効期限が切れました。もう一度ログインしてからお試しください。",
        ],
        Reason::RateLimited => [
            "That was too often. Wait a minute, then try again.",
            "คุณทำรายการถี่เกินไป โปรดรอสักครู่แล้วลองใหม่",
            "操作の回数が多すぎます。しばらく待ってからもう一度お試しください。",
        ],
        Reason::AttemptInFlight | Reason::OutcomeUnknown => [
            "We are still finding out whether your account was linked. Wait a moment, then try again; it will not be linked twice.",
            "เรากำลังตรวจสอบว่าบัญชีของคุณผูกสำเร็จหรือไม่ โปรดรอสักครู่แล้วลองใหม่ บัญชีจะไม่ถูกผูกซ้ำ",
            "口座が連携されたかどうかを確認しています。少し待ってからもう一度お試しください。二重に連携されることはありません。",
        ],
        Reason::AttemptAbandoned => [
            "Linking was interrupted and nothing was linked. Start again.",
            "การผูกบัญชีถูกขัดจังหวะและยังไม่มีการผูกบัญชี โปรดเริ่มใหม่",
            "連携が中断され、口座は連携されていません。最初からやり直してください。",
        ],
        Reason::TypeNotEnabled => [
            "This shop cannot link accounts at this bank. Choose another bank.",
            "ร้านนี้ไม่รองรับการผูกบัญชีกับธนาคารนี้ โปรดเลือกธนาคารอื่น",
            "このお店ではこの銀行の口座を連携できません。別の銀行をお選びください。",
        ],
        Reason::InvalidRequest => [
            "Something that was entered is not right. Check it, then try again.",
            "ข้อมูลที่กรอกบางส่วนไม่ถูกต้อง โปรดตรวจสอบแล้วลองใหม่",
            "入力内容に誤りがあります。ご確認のうえ、もう一度お試しください。",
        ],
        Reason::UpstreamTimeout
        | Reason::UpstreamUnavailable
        | Reason::UpstreamUnreadable
        | Reason::KeysUnavailable
        | Reason::LedgerUnavailable
        | Reason::Internal
        | Reason::AnswerUnreadable => [
            "The service is not answering as it should. Wait a moment, then try again.",
            "ระบบขัดข้องชั่วคราว โปรดรอสักครู่แล้วลองใหม่",
            "サービスが正しく応答していません。少し待ってからもう一度お試しください。",
        ],
        Reason::NetworkFailed | Reason::Offline | Reason::Timeout => [
            "No connection. Check your internet, then try again.",
            "เชื่อมต่อไม่ได้ โปรดตรวจสอบอินเทอร์เน็ตแล้วลองใหม่",
            "接続できません。インターネット接続をご確認のうえ、もう一度お試しください。",
        ],
        Reason::LoadFailed => [
            "This page did not load completely. Reload it, then try again.",
            "หน้านี้โหลดไม่สมบูรณ์ โปรดโหลดหน้าใหม่แล้วลองอีกครั้ง",
            "ページを正しく読み込めませんでした。再読み込みしてからもう一度お試しください。",
        ],
        // the shop's own mistakes: the customer can do nothing about them
        Reason::ReturnUriNotAllowed
        | Reason::MalformedJson
        | Reason::BodyTooLarge
        | Reason::UnsupportedMediaType
        | Reason::IdempotencyKeyInvalid
        | Reason::IdempotencyKeyReused
        | Reason::RouteNotFound
        | Reason::MethodNotAllowed
        | Reason::OperatorOnly
        | Reason::UpstreamRefused
        | Reason::UpstreamMisconfigured
        | Reason::ModeMismatch
        | Reason::Misconfigured
        | Reason::RegistrationUriUnsafe
        | Reason::WasmBlocked => [
            "The shop has a problem with linking accounts. Nothing was linked; please tell the shop.",
            "ร้านค้ามีปัญหาในการผูกบัญชี ยังไม่มีการผูกบัญชีใด ๆ โปรดแจ้งร้านค้า",
            "お店側の口座連携に問題があります。口座は連携されていません。お店にお知らせください。",
        ],
    })
}

/// The failure codes for which there are words of their own.
pub const FAILURES: [&str; 12] = [
    "registration_rejected",
    "payment_rejected",
    "payment_cancelled",
    "invalid_account",
    "invalid_account_number",
    "insufficient_fund",
    "insufficient_balance",
    "failed_processing",
    "timeout",
    "rate_limit_exceeded",
    "failed_fraud_check",
    "invalid_security_code",
];

/// What to tell a customer whose registration failed with `failure_code`, or with none.
///
/// Omise's own table of codes for direct debit is not public in full: the codes here are those that documents and clients name,
/// and any other gets words that fit all.
///
/// ```
/// use omise_linked_accounts::message::{Locale, failure};
///
/// let declined = failure(Some("registration_rejected"), Locale::En);
/// assert_ne!(declined, failure(Some("brand_new"), Locale::En));
/// assert_eq!(failure(None, Locale::En), failure(Some("brand_new"), Locale::En));
/// ```
#[must_use]
pub fn failure(failure_code: Option<&str>, locale: Locale) -> &'static str {
    locale.pick(match failure_code {
        Some("registration_rejected" | "payment_rejected" | "payment_cancelled") => [
            "The request was declined at your bank. If you want to link the account after all, start again.",
            "คำขอถูกปฏิเสธที่ธนาคารของคุณ หากยังต้องการผูกบัญชี โปรดเริ่มใหม่",
            "銀行で申し込みが承認されませんでした。連携を希望する場合は、最初からやり直してください。",
        ],
        Some("invalid_account" | "invalid_account_number") => [
            "Your bank cannot use this account for direct debit. Try another account, or ask your bank.",
            "ธนาคารไม่สามารถใช้บัญชีนี้หักบัญชีอัตโนมัติได้ โปรดลองบัญชีอื่นหรือสอบถามธนาคาร",
            "この口座は口座振替に利用できません。別の口座を試すか、銀行にお問い合わせください。",
        ],
        Some("insufficient_fund" | "insufficient_balance") => [
            "There is not enough money in the account. Top it up, then start again.",
            "ยอดเงินในบัญชีไม่พอ โปรดเติมเงินแล้วเริ่มใหม่",
            "口座の残高が不足しています。入金してから、最初からやり直してください。",
        ],
        Some("failed_processing" | "timeout" | "rate_limit_exceeded") => [
            "Your bank could not finish the request. Wait a few minutes, then start again.",
            "ธนาคารไม่สามารถดำเนินการให้เสร็จได้ โปรดรอสักครู่แล้วเริ่มใหม่",
            "銀行で手続きを完了できませんでした。数分待ってから、最初からやり直してください。",
        ],
        Some("failed_fraud_check" | "invalid_security_code") => [
            "Your bank could not make sure that it was you. Ask your bank, or try another account.",
            "ธนาคารไม่สามารถยืนยันตัวตนของคุณได้ โปรดสอบถามธนาคารหรือลองบัญชีอื่น",
            "銀行でご本人であることを確認できませんでした。銀行に問い合わせるか、別の口座をお試しください。",
        ],
        _ => [
            "Your bank did not link the account. Try again, choose another account, or ask your bank.",
            "ธนาคารไม่ได้ผูกบัญชีให้ โปรดลองใหม่ เลือกบัญชีอื่น หรือสอบถามธนาคาร",
            "銀行で口座を連携できませんでした。もう一度試すか、別の口座を選ぶか、銀行にお問い合わせください。",
        ],
    })
}

/// What to tell whoever fills in a form of an issue with `field`. What only the shop fills in is the shop's business, and the words
/// are for the shop.
///
/// ```
/// use omise_linked_accounts::{IssueCode, message::{Locale, issue}};
///
/// assert_eq!(issue("type", IssueCode::Required, Locale::En), "Choose a bank.");
/// assert_eq!(issue("shoe_size", IssueCode::UnknownField, Locale::En), "This is not one of the fields.");
/// ```
#[must_use]
pub fn issue(field: &str, code: IssueCode, locale: Locale) -> &'static str {
    locale.pick(match (field, code) {
        ("type", IssueCode::Required) => ["Choose a bank.", "โปรดเลือกธนาคาร", "銀行をお選びください。"],
        ("type", IssueCode::NotSupported) => [
            "Accounts cannot be linked at this bank. Choose another one.",
            "ไม่สามารถผูกบัญชีกับธนาคารนี้ได้ โปรดเลือกธนาคารอื่น",
            "この銀行の口座は連携できません。別の銀行をお選びください。",
        ],
        ("citizen_id", IssueCode::Invalid) => [
            "Check the number: the 13 digits of a Thai ID card, or a passport number of 5 to 20 letters and digits.",
            "โปรดตรวจสอบหมายเลข: เลขบัตรประชาชน 13 หลัก หรือหมายเลขหนังสือเดินทาง 5 ถึง 20 ตัว",
            "番号をご確認ください。タイの身分証明書の13桁の数字、または5〜20文字の旅券番号です。",
        ],
        ("return_uri", IssueCode::Invalid) => [
            "Expected a full address that begins with https://.",
            "ต้องเป็นที่อยู่เว็บแบบเต็มที่ปลอดภัย",
            "完全なアドレスを指定してください。",
        ],
        ("return_uri", IssueCode::Reserved) => [
            "The address has a parameter that is added later; leave it out.",
            "ที่อยู่มีพารามิเตอร์ที่ระบบจะเพิ่มให้ภายหลัง โปรดนำออก",
            "後で追加されるパラメーターが含まれています。取り除いてください。",
        ],
        ("return_uri", IssueCode::NotAllowed) => [
            "This address is not on the shop's list.",
            "ที่อยู่นี้ไม่อยู่ในรายการของร้าน",
            "このアドレスはお店の一覧にありません。",
        ],
        (_, IssueCode::Required) => ["Fill this in.", "โปรดกรอกช่องนี้", "入力してください。"],
        (_, IssueCode::WrongType) => {
            ["This is not the kind of value that belongs here.", "ค่านี้ไม่ใช่ชนิดที่ต้องการ", "値の種類が正しくありません。"]
        }
        (_, IssueCode::UnknownField) => {
            ["This is not one of the fields.", "ไม่มีช่องข้อมูลนี้", "このような項目はありません。"]
        }
        (_, IssueCode::Duplicate) => ["This is here twice.", "มีข้อมูลนี้ซ้ำกัน", "重複しています。"],
        (_, IssueCode::Invalid) => ["This is not in the expected form.", "รูปแบบไม่ถูกต้อง", "形式が正しくありません。"],
        (_, IssueCode::TooLong) => ["This is too long.", "ยาวเกินไป", "長すぎます。"],
        (_, IssueCode::NotSupported) => ["This cannot be used here.", "ใช้ที่นี่ไม่ได้", "ここでは使えません。"],
        (_, IssueCode::NotAllowed) => ["This is not allowed here.", "ไม่อนุญาตให้ใช้ที่นี่", "ここでは許可されていません。"],
        (_, IssueCode::Reserved) => [
            "This name is reserved; choose another one.",
            "ชื่อนี้สงวนไว้ โปรดใช้ชื่ออื่น",
            "この名前は予約されています。別の名前を使ってください。",
        ],
    })
}

/// Fields for whose issues there are words of their own.
pub const FIELDS: [&str; 3] = ["type", "citizen_id", "return_uri"];

/// What a customer must still do after unlinking an account of this type, or `None`.
///
/// Krungthai keeps its own side of the link. Source: a community client's notes on Omise's direct debit; Omise's page is silent.
#[must_use]
pub fn unlink_note(account_type: &crate::AccountType, locale: Locale) -> Option<&'static str> {
    (*account_type == crate::AccountType::DirectDebitKtb).then(|| {
        locale.pick([
            "Krungthai Bank keeps its side of the link: remove it in the bank's own app too.",
            "ธนาคารกรุงไทยยังเก็บการผูกบัญชีไว้ โปรดยกเลิกในแอปของธนาคารด้วย",
            "クルンタイ銀行側の連携は残ります。銀行のアプリでも解除してください。",
        ])
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::AccountType;

    /// Every text in one language.
    fn texts(locale: Locale) -> Vec<&'static str> {
        let reasons = Reason::ALL.into_iter().map(|r| reason(r, locale));
        let failures = FAILURES.into_iter().map(|code| failure(Some(code), locale));
        let issues = FIELDS
            .into_iter()
            .chain(["metadata"])
            .flat_map(|field| IssueCode::ALL.into_iter().map(move |code| issue(field, code, locale)));
        reasons.chain(failures).chain([failure(None, locale)]).chain(issues).collect()
    }

    #[test]
    fn each_language_is_written_in_its_own_script() {
        for text in texts(Locale::En) {
            assert!(text.is_ascii() && text.ends_with('.'), "{text}");
        }
        for text in texts(Locale::Th) {
            assert!(text.chars().any(|c| ('\u{e00}'..'\u{e80}').contains(&c)), "{text}");
            assert!(!text.chars().any(|c| c.is_ascii_alphabetic()), "{text}");
        }
        for text in texts(Locale::Ja) {
            assert!(text.chars().any(|c| ('\u{3040}'..'\u{3100}').contains(&c)) && text.ends_with('。'), "{text}");
            assert!(!text.chars().any(|c| c.is_ascii_alphabetic()), "{text}");
        }
    }

    #[test]
    fn every_text_stands_in_every_language() {
        let distinct = |locale| texts(locale).into_iter().collect::<BTreeSet<_>>().len();
        assert_eq!(distinct(Locale::En), distinct(Locale::Th));
        assert_eq!(distinct(Locale::En), distinct(Locale::Ja));
    }

    #[test]
    fn no_jargon() {
        for text in texts(Locale::En) {
            for word in ["HTTP", "JSON", "token", "API", "Omise", "upstream", "idempotency", "error", "null"] {
                assert!(!text.contains(word), "{text}");
            }
        }
    }

    #[test]
    fn unknown_codes_fall_back() {
        for locale in Locale::ALL {
            assert_eq!(failure(Some("brand_new"), locale), failure(None, locale));
            for code in FAILURES {
                assert_ne!(failure(Some(code), locale), failure(None, locale), "{code}");
            }
        }
    }

    #[test]
    fn only_krungthai_needs_a_second_step() {
        for t in AccountType::DIRECT_DEBIT {
            assert_eq!(unlink_note(&t, Locale::En).is_some(), t == AccountType::DirectDebitKtb, "{t}");
        }
    }
}
