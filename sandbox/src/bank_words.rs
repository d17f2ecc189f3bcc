//! What the bank's pages say, in English, Thai and Japanese.

use maud::{Markup, Render, html};
use omise_linked_accounts::{Timestamp, message::Locale};

use crate::{bank_account::BankAccount, failure_code::FailureCode};

/// A text in each language. Some have gaps: `{shop}` stands for the shop's site, `{bank}` for the bank's name, `{time}` for a time.
#[derive(Clone, Copy)]
pub(crate) struct Phrase {
    en: &'static str,
    th: &'static str,
    ja: &'static str,
}

const fn phrase(en: &'static str, th: &'static str, ja: &'static str) -> Phrase {
    Phrase { en, th, ja }
}

impl Phrase {
    /// The text in one language.
    pub(crate) const fn text(self, locale: Locale) -> &'static str {
        match locale {
            Locale::Th => self.th,
            Locale::Ja => self.ja,
            _ => self.en,
        }
    }

    /// The text in one language with its gaps filled. One that nothing was given for stays as it is.
    pub(crate) fn fill(self, locale: Locale, gaps: &[(&str, &dyn Render)]) -> Markup {
        html! {
            @for (i, piece) in self.text(locale).split(['{', '}']).enumerate() {
                // every second piece is the name of a gap
                @if i % 2 == 0 { (piece) }
                @else if let Some((_, value)) = gaps.iter().find(|(name, _)| *name == piece) { (*value) }
                @else { "{" (piece) "}" }
            }
        }
    }
}

// What every page says.

pub(crate) const NOT_A_BANK: Phrase =
    phrase("Sandbox — not a real bank.", "ระบบทดสอบ — ไม่ใช่ธนาคารจริง", "テスト環境です。実在の銀行ではありません。");
pub(crate) const NO_MONEY: Phrase = phrase("No money moves.", "ไม่มีการโอนเงินจริง", "実際にお金が動くことはありません。");
/// Before the title of a page, where there is little room.
pub(crate) const NOT_A_BANK_SHORT: Phrase =
    phrase("Sandbox, not a bank", "ระบบทดสอบ ไม่ใช่ธนาคาร", "テスト環境（銀行ではありません）");
pub(crate) const NOTICE: Phrase = phrase("Notice", "ประกาศ", "ご注意");
pub(crate) const LANGUAGE: Phrase = phrase("Language", "ภาษา", "言語");
pub(crate) const SANDBOX_BANK: Phrase = phrase("Sandbox bank", "ธนาคารทดสอบ", "テスト銀行");
pub(crate) const STANDS_IN: Phrase = phrase(
    "This page stands in for the bank's own while a shop is being built. It is not made or endorsed by any bank.",
    "หน้านี้ใช้แทนหน้าของธนาคารระหว่างการพัฒนาร้านค้า ธนาคารไม่ได้จัดทำหรือรับรองหน้านี้",
    "このページは、お店の開発中に銀行のページの代わりをするものです。銀行が作成・承認したものではありません。",
);
pub(crate) const THE_SHOP: Phrase = phrase("the shop", "ร้านค้า", "お店");
/// Before the last digits of an account, for ears.
pub(crate) const ENDING_IN: Phrase = phrase("ending in", "ลงท้ายด้วย", "下4桁");

// The question.

pub(crate) const ALLOW: Phrase = phrase("Allow direct debit?", "ขอความยินยอมหักบัญชีอัตโนมัติ", "口座振替に同意されますか？");
pub(crate) const ASKS: Phrase = phrase(
    "{shop} asks to link one of your {bank} accounts.",
    "{shop} ขอผูกบัญชี{bank}ของท่านหนึ่งบัญชี",
    "{shop} が、お客様の{bank}の口座との連携を求めています。",
);
pub(crate) const IF_YOU_APPROVE: Phrase = phrase("If you approve", "หากท่านยินยอม", "同意された場合");
pub(crate) const MAY_COLLECT: Phrase = phrase(
    "The shop may collect what you buy there by direct debit, without asking you each time.",
    "ร้านค้าจะหักค่าสินค้าที่ท่านซื้อจากบัญชีของท่านโดยอัตโนมัติได้ โดยไม่ต้องถามท่านทุกครั้ง",
    "お店は、お買い上げの代金を、その都度の確認なしに口座から自動で引き落とせるようになります。",
);
pub(crate) const SEES_DIGITS: Phrase = phrase(
    "It sees the last four digits of the account, and no balance.",
    "ร้านค้าจะเห็นเพียงเลขท้าย 4 หลักของเลขที่บัญชี และไม่เห็นยอดเงินในบัญชี",
    "お店には口座番号の下4桁だけが表示され、残高は表示されません。",
);
pub(crate) const CAN_UNLINK: Phrase = phrase(
    "You can end this at any time: unlink the account in the shop.",
    "ท่านยกเลิกได้ทุกเมื่อ โดยยกเลิกการผูกบัญชีที่ร้านค้า",
    "いつでも終了できます。お店で口座の連携を解除してください。",
);
pub(crate) const WHICH_ACCOUNT: Phrase = phrase("Which account?", "โปรดเลือกบัญชี", "口座をお選びください");
pub(crate) const APPROVE: Phrase = phrase("Approve", "ยินยอม", "同意する");
pub(crate) const DECLINE: Phrase = phrase("Decline", "ไม่ยินยอม", "同意しない");
pub(crate) const EITHER_WAY: Phrase = phrase(
    "Either way you go back to {shop}. This request ends on {time}.",
    "ไม่ว่าจะเลือกอย่างใด ท่านจะกลับไปที่ {shop} คำขอนี้สิ้นสุดวันที่ {time}",
    "どちらを選ばれても {shop} に戻ります。この申し込みの期限は{time}です。",
);
pub(crate) const LEAVE: Phrase =
    phrase("Leave without answering", "ออกจากหน้านี้โดยยังไม่ตอบ", "回答せずにこのページを離れる");

/// The name of an account.
pub(crate) const fn account(account: BankAccount) -> Phrase {
    match account {
        BankAccount::Savings => phrase("Savings account", "บัญชีออมทรัพย์", "普通預金口座"),
        BankAccount::Current => phrase("Current account", "บัญชีกระแสรายวัน", "当座預金口座"),
    }
}

// What the sandbox alone offers.

pub(crate) const FOR_TESTING: Phrase =
    phrase("For testing: let it fail", "สำหรับการทดสอบ: ทำให้ล้มเหลว", "テスト用: 失敗させる");
pub(crate) const SANDBOX_ONLY: Phrase = phrase(
    "Only the sandbox has this, and no bank. The shop is told the reason that you choose.",
    "ส่วนนี้มีเฉพาะในระบบทดสอบ ไม่มีในหน้าของธนาคาร ร้านค้าจะได้รับเหตุผลที่เลือก",
    "これはテスト環境だけの機能で、銀行のページにはありません。選んだ理由がお店に伝わります。",
);
pub(crate) const REASON: Phrase = phrase("Reason", "เหตุผล", "理由");
pub(crate) const FAIL: Phrase = phrase("Let it fail", "ทำให้ล้มเหลว", "失敗させる");

/// What happened, where a registration fails with this code.
pub(crate) const fn failure(code: FailureCode) -> Phrase {
    match code {
        FailureCode::RegistrationRejected => {
            phrase("The account holder does not agree", "เจ้าของบัญชีไม่ยินยอม", "口座名義人が同意しない")
        }
        FailureCode::InvalidAccount => {
            phrase("The account is not one for direct debit", "บัญชีนี้ใช้หักบัญชีอัตโนมัติไม่ได้", "口座振替に使えない口座")
        }
        FailureCode::InsufficientFund => {
            phrase("There is not enough money in the account", "ยอดเงินในบัญชีไม่พอ", "口座の残高不足")
        }
        FailureCode::FailedProcessing => {
            phrase("The bank could not finish", "ธนาคารดำเนินการไม่สำเร็จ", "銀行で手続きを完了できない")
        }
        FailureCode::RateLimitExceeded => {
            phrase("The bank was asked too often", "มีคำขอถึงธนาคารถี่เกินไป", "銀行への要求が多すぎる")
        }
        FailureCode::FailedFraudCheck => {
            phrase("The identity number does not match", "เลขประจำตัวไม่ตรงกับข้อมูลของธนาคาร", "本人確認の番号が一致しない")
        }
        FailureCode::InvalidSecurityCode => phrase(
            "The one-time password was wrong too often",
            "กรอกรหัสผ่านใช้ครั้งเดียวผิดเกินกำหนด",
            "ワンタイムパスワードの誤りが多すぎる",
        ),
        FailureCode::Timeout => {
            phrase("The session at the bank timed out", "หมดเวลาทำรายการที่ธนาคาร", "銀行での手続きが時間切れ")
        }
    }
}

// The request was answered, or nobody answered it in time.

pub(crate) const APPROVED: Phrase = phrase("Already approved", "ท่านยินยอมแล้ว", "すでに同意済みです");
pub(crate) const APPROVED_TEXT: Phrase = phrase(
    "You approved this request: the account is linked to {shop}.",
    "ท่านยินยอมตามคำขอนี้แล้ว บัญชีผูกกับ {shop} แล้ว",
    "お客様はこの申し込みに同意されました。口座は {shop} と連携されています。",
);
pub(crate) const DECLINED: Phrase = phrase("Already declined", "ท่านปฏิเสธคำขอนี้แล้ว", "すでに拒否済みです");
pub(crate) const DECLINED_TEXT: Phrase = phrase(
    "You declined this request. Nothing was linked.",
    "ท่านไม่ยินยอมตามคำขอนี้ จึงไม่มีการผูกบัญชี",
    "お客様はこの申し込みに同意されませんでした。口座は連携されていません。",
);
pub(crate) const FAILED: Phrase = phrase("This request has failed", "คำขอนี้ไม่สำเร็จ", "この申し込みは完了しませんでした");
pub(crate) const FAILED_TEXT: Phrase = phrase(
    "Nothing was linked. You can start again in the shop.",
    "ไม่มีการผูกบัญชี ท่านเริ่มใหม่ได้ที่ร้านค้า",
    "口座は連携されていません。お店で最初からやり直していただけます。",
);
pub(crate) const EXPIRED: Phrase = phrase("This request has expired", "คำขอนี้หมดอายุแล้ว", "この申し込みは期限切れです");
pub(crate) const EXPIRED_TEXT: Phrase = phrase(
    "Nobody answered it in time. Nothing was linked. You can start again in the shop.",
    "ไม่มีการตอบภายในเวลาที่กำหนด จึงไม่มีการผูกบัญชี ท่านเริ่มใหม่ได้ที่ร้านค้า",
    "期限までに回答がなかったため、口座は連携されていません。お店で最初からやり直していただけます。",
);
pub(crate) const UNLINKED: Phrase = phrase("Already unlinked", "ยกเลิกการผูกบัญชีแล้ว", "すでに連携が解除されています");
pub(crate) const UNLINKED_TEXT: Phrase = phrase(
    "You approved this request, and the account was unlinked from {shop} since.",
    "ท่านยินยอมตามคำขอนี้ และหลังจากนั้นบัญชีถูกยกเลิกการผูกกับ {shop} แล้ว",
    "お客様はこの申し込みに同意されましたが、その後、口座と {shop} の連携は解除されました。",
);
pub(crate) const ANSWERED: Phrase = phrase("Already answered", "ท่านตอบคำขอนี้แล้ว", "すでに回答済みです");
pub(crate) const ANSWERED_TEXT: Phrase =
    phrase("There is nothing left to do here.", "ไม่มีสิ่งใดที่ท่านต้องทำในหน้านี้อีก", "このページでの手続きは終わっています。");
pub(crate) const ACCOUNT: Phrase = phrase("Account", "บัญชี", "口座");
pub(crate) const BACK_TO_SHOP: Phrase = phrase("Back to {shop}", "กลับไปที่ {shop}", "{shop} に戻る");

// What is not as it should be.

pub(crate) const MISSING: Phrase = phrase("Something is missing", "ข้อมูลไม่ครบ", "選択されていない項目があります");
pub(crate) const MISSING_TEXT: Phrase = phrase(
    "Choose an account, and then approve or decline.",
    "โปรดเลือกบัญชี แล้วเลือกว่าจะยินยอมหรือไม่",
    "口座を選び、同意するかどうかをお選びください。",
);
pub(crate) const BACK_TO_QUESTION: Phrase = phrase("Back to the question", "กลับไปที่คำขอ", "申し込みに戻る");
pub(crate) const UNKNOWN: Phrase = phrase("No such request", "ไม่พบคำขอนี้", "申し込みが見つかりません");
pub(crate) const UNKNOWN_TEXT: Phrase = phrase(
    "This link leads to nothing. Go back to the shop and start again.",
    "ไม่มีคำขอตามลิงก์นี้ โปรดกลับไปเริ่มใหม่ที่ร้านค้า",
    "このリンクの申し込みはありません。お店に戻って最初からやり直してください。",
);
pub(crate) const BROKEN: Phrase = phrase("Something went wrong", "เกิดข้อผิดพลาด", "エラーが発生しました");
pub(crate) const BROKEN_TEXT: Phrase = phrase(
    "The sandbox failed; its log says why. Nothing was changed.",
    "ระบบทดสอบขัดข้อง ดูสาเหตุได้ในบันทึกของระบบ ไม่มีการเปลี่ยนแปลงใด ๆ",
    "テスト環境で問題が起きました。原因はログにあります。何も変更されていません。",
);

/// A time as it is in Thailand, where the banks are: seven hours ahead of UTC, summer and winter. In Thai the year is the Buddhist
/// one.
pub(crate) fn time(at: Timestamp, locale: Locale) -> String {
    const AHEAD_SECONDS: i64 = 7 * 60 * 60;
    const MONTHS: [(&str, &str); 12] = [
        ("January", "มกราคม"),
        ("February", "กุมภาพันธ์"),
        ("March", "มีนาคม"),
        ("April", "เมษายน"),
        ("May", "พฤษภาคม"),
        ("June", "มิถุนายน"),
        ("July", "กรกฎาคม"),
        ("August", "สิงหาคม"),
        ("September", "กันยายน"),
        ("October", "ตุลาคม"),
        ("November", "พฤศจิกายน"),
        ("December", "ธันวาคม"),
    ];

    let text = at.plus_seconds(AHEAD_SECONDS).to_string();
    let mut numbers = text.split(['-', 'T', ':']).map(|number| number.parse().unwrap_or_default());
    let [year, month, day, hour, minute]: [usize; 5] = std::array::from_fn(|_| numbers.next().unwrap_or_default());
    let (month_en, month_th) = MONTHS.get(month.wrapping_sub(1)).copied().unwrap_or_default();
    match locale {
        Locale::Th => {
            let year = year + 543;
            format!("{day} {month_th} {year} เวลา {hour:02}:{minute:02} น. ตามเวลาประเทศไทย (UTC+7)")
        }
        Locale::Ja => format!("{year}年{month}月{day}日{hour}時{minute:02}分（タイ時間、UTC+7）"),
        _ => format!("{day} {month_en} {year} at {hour:02}:{minute:02} Thailand time (UTC+7)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps() {
        let phrase = phrase("{bank}: ask {shop} <now>", "{shop}{time}", "なし");
        let shop = html! { b { "a&b" } };
        let fill = |locale| phrase.fill(locale, &[("shop", &shop), ("bank", &"x<y")]).into_string();
        assert_eq!(fill(Locale::En), "x&lt;y: ask <b>a&amp;b</b> &lt;now&gt;");
        assert_eq!(fill(Locale::Th), "<b>a&amp;b</b>{time}");
        assert_eq!(fill(Locale::Ja), "なし");
    }

    #[test]
    fn times() {
        for (at, en, th, ja) in [
            (
                "2024-06-04T04:11:14Z",
                "4 June 2024 at 11:11 Thailand time (UTC+7)",
                "4 มิถุนายน 2567 เวลา 11:11 น. ตามเวลาประเทศไทย (UTC+7)",
                "2024年6月4日11時11分（タイ時間、UTC+7）",
            ),
            (
                "2025-12-31T17:05:00Z",
                "1 January 2026 at 00:05 Thailand time (UTC+7)",
                "1 มกราคม 2569 เวลา 00:05 น. ตามเวลาประเทศไทย (UTC+7)",
                "2026年1月1日0時05分（タイ時間、UTC+7）",
            ),
            (
                "2024-12-31T16:59:59Z",
                "31 December 2024 at 23:59 Thailand time (UTC+7)",
                "31 ธันวาคม 2567 เวลา 23:59 น. ตามเวลาประเทศไทย (UTC+7)",
                "2024年12月31日23時59分（タイ時間、UTC+7）",
            ),
        ] {
            let at = Timestamp::parse(at).unwrap();
            assert_eq!(Locale::ALL.map(|locale| time(at, locale)), [en, th, ja], "{at}");
        }
    }
}
