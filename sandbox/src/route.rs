//! Which path means what.

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// The front page.
    Index,
    /// Omise's API.
    Api(ApiCall<'a>),
    /// The bank.
    Bank(BankCall),
    /// The style sheet of the bank's page.
    Stylesheet,
    /// The sandbox itself.
    Control(ControlCall<'a>),
    /// Nothing that is here.
    Unknown,
}

/// A call of Omise's API. The id is as sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApiCall<'a> {
    Create,
    List,
    Search,
    /// A search by the path that other things are searched by too.
    ScopedSearch,
    /// What the account can do.
    Capability,
    Retrieve(&'a str),
    Delete(&'a str),
    /// Nothing that is here, but a key is asked for all the same.
    Unknown,
}

/// A visit to the bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BankCall {
    /// Show the page.
    Show,
    /// The customer's answer.
    Submit,
}

/// What is asked of the sandbox itself: of its control API, or of its control page. The id is as sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ControlCall<'a> {
    /// Show the page.
    Page,
    /// A button of the page.
    Press,
    /// The page's form for the token.
    SignIn,
    /// The page's style sheet.
    Stylesheet,
    /// Accounts and clock, as one document.
    Dump,
    Load,
    Reset,
    /// Decide in an account holder's place.
    Settle(&'a str),
    Clock,
    SetClock,
    Faults,
    SetFaults,
    ClearFaults,
    Requests,
    ClearRequests,
    Deliveries,
    /// Send the event of a delivery once more.
    Redeliver(&'a str),
    Webhook,
    SetWebhook,
    RotateSecret,
    /// Nothing that is here, but the token is asked for all the same.
    Unknown,
}

impl<'a> ControlCall<'a> {
    /// Finds the call by what comes after `/sandbox`.
    fn find(method: &str, rest: &[&'a str]) -> Self {
        match (method, rest) {
            ("GET", []) => Self::Page,
            ("POST", []) => Self::Press,
            ("POST", ["session"]) => Self::SignIn,
            ("GET", ["control.css"]) => Self::Stylesheet,
            ("GET", ["state"]) => Self::Dump,
            ("PUT", ["state"]) => Self::Load,
            ("DELETE", ["state"]) => Self::Reset,
            ("POST", ["accounts", id, "settle"]) => Self::Settle(id),
            ("GET", ["clock"]) => Self::Clock,
            ("PUT", ["clock"]) => Self::SetClock,
            ("GET", ["faults"]) => Self::Faults,
            ("PUT", ["faults"]) => Self::SetFaults,
            ("DELETE", ["faults"]) => Self::ClearFaults,
            ("GET", ["requests"]) => Self::Requests,
            ("DELETE", ["requests"]) => Self::ClearRequests,
            ("GET", ["deliveries"]) => Self::Deliveries,
            ("POST", ["deliveries", id, "redeliver"]) => Self::Redeliver(id),
            ("GET", ["webhook"]) => Self::Webhook,
            ("PUT", ["webhook"]) => Self::SetWebhook,
            ("POST", ["webhook", "secrets"]) => Self::RotateSecret,
            _ => Self::Unknown,
        }
    }
}

impl<'a> Route<'a> {
    /// Finds the route. Case matters. One slash at the end of a path is ignored, as Rails does: Omise's client for PHP posts to
    /// `/linked_accounts/`. Two are not.
    pub(crate) fn find(method: &str, path: &'a str) -> Self {
        if path == "/" {
            return if method == "GET" { Self::Index } else { Self::Unknown };
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        match (method, segments.as_slice()) {
            ("POST", ["linked_accounts"]) => Self::Api(ApiCall::Create),
            ("GET", ["linked_accounts"]) => Self::Api(ApiCall::List),
            // before the id, in whose place it stands
            ("GET", ["linked_accounts", "search"]) => Self::Api(ApiCall::Search),
            (_, ["linked_accounts", "search"]) => Self::Api(ApiCall::Unknown),
            ("GET", ["linked_accounts", id]) if !id.is_empty() => Self::Api(ApiCall::Retrieve(id)),
            ("DELETE", ["linked_accounts", id]) if !id.is_empty() => Self::Api(ApiCall::Delete(id)),
            ("GET", ["search"]) => Self::Api(ApiCall::ScopedSearch),
            ("GET", ["capability"]) => Self::Api(ApiCall::Capability),
            (_, ["linked_accounts" | "search" | "capability", ..]) => Self::Api(ApiCall::Unknown),
            ("GET", ["register"]) => Self::Bank(BankCall::Show),
            ("POST", ["register"]) => Self::Bank(BankCall::Submit),
            ("GET", ["register.css"]) => Self::Stylesheet,
            (_, ["sandbox", rest @ ..]) => Self::Control(ControlCall::find(method, rest)),
            _ => Self::Unknown,
        }
    }

    /// Whether an account may be settled by it, or the clock moved.
    pub(crate) const fn settles(self) -> bool {
        matches!(self, Self::Bank(BankCall::Submit) | Self::Control(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        for (method, path, expected) in [
            ("POST", "/linked_accounts", Route::Api(ApiCall::Create)),
            ("GET", "/linked_accounts", Route::Api(ApiCall::List)),
            ("GET", "/linked_accounts/search", Route::Api(ApiCall::Search)),
            ("DELETE", "/linked_accounts/search", Route::Api(ApiCall::Unknown)),
            ("GET", "/linked_accounts/search/", Route::Api(ApiCall::Search)),
            ("GET", "/linked_accounts/search//", Route::Api(ApiCall::Unknown)),
            ("DELETE", "/linked_accounts/search/", Route::Api(ApiCall::Unknown)),
            ("GET", "/linked_accounts/Search", Route::Api(ApiCall::Retrieve("Search"))),
            ("GET", "/search", Route::Api(ApiCall::ScopedSearch)),
            ("POST", "/search", Route::Api(ApiCall::Unknown)),
            ("GET", "/search/", Route::Api(ApiCall::ScopedSearch)),
            ("POST", "/search/", Route::Api(ApiCall::Unknown)),
            ("GET", "/search//", Route::Api(ApiCall::Unknown)),
            ("GET", "/search/linked_account", Route::Api(ApiCall::Unknown)),
            ("GET", "/Search", Route::Unknown),
            ("GET", "/capability", Route::Api(ApiCall::Capability)),
            ("GET", "/capability/", Route::Api(ApiCall::Capability)),
            ("GET", "/capability//", Route::Api(ApiCall::Unknown)),
            ("POST", "/capability", Route::Api(ApiCall::Unknown)),
            ("GET", "/capability/banks", Route::Api(ApiCall::Unknown)),
            ("GET", "/capabilities", Route::Unknown),
            ("GET", "/linked_accounts/lnac_test_1", Route::Api(ApiCall::Retrieve("lnac_test_1"))),
            ("GET", "/linked_accounts/%2e%2e", Route::Api(ApiCall::Retrieve("%2e%2e"))),
            ("DELETE", "/linked_accounts/lnac_test_1", Route::Api(ApiCall::Delete("lnac_test_1"))),
            ("PATCH", "/linked_accounts/lnac_test_1", Route::Api(ApiCall::Unknown)),
            ("DELETE", "/linked_accounts", Route::Api(ApiCall::Unknown)),
            ("POST", "/linked_accounts/", Route::Api(ApiCall::Create)),
            ("GET", "/linked_accounts/", Route::Api(ApiCall::List)),
            ("DELETE", "/linked_accounts/", Route::Api(ApiCall::Unknown)),
            ("POST", "/linked_accounts//", Route::Api(ApiCall::Unknown)),
            ("GET", "/linked_accounts//", Route::Api(ApiCall::Unknown)),
            ("DELETE", "/linked_accounts//", Route::Api(ApiCall::Unknown)),
            ("GET", "/linked_accounts/lnac_test_1/", Route::Api(ApiCall::Retrieve("lnac_test_1"))),
            ("DELETE", "/linked_accounts/lnac_test_1/", Route::Api(ApiCall::Delete("lnac_test_1"))),
            ("GET", "/linked_accounts/lnac_test_1//", Route::Api(ApiCall::Unknown)),
            ("GET", "/linked_accounts/lnac_test_1/events", Route::Api(ApiCall::Unknown)),
            ("GET", "/register", Route::Bank(BankCall::Show)),
            ("POST", "/register", Route::Bank(BankCall::Submit)),
            ("PUT", "/register", Route::Unknown),
            ("GET", "/register.css", Route::Stylesheet),
            ("POST", "/register.css", Route::Unknown),
            ("GET", "/register/", Route::Bank(BankCall::Show)),
            ("GET", "/register//", Route::Unknown),
            ("GET", "/sandbox", Route::Control(ControlCall::Page)),
            ("POST", "/sandbox", Route::Control(ControlCall::Press)),
            ("GET", "/sandbox/", Route::Control(ControlCall::Page)),
            ("GET", "/sandbox//", Route::Control(ControlCall::Unknown)),
            ("POST", "/sandbox/session", Route::Control(ControlCall::SignIn)),
            ("GET", "/sandbox/session", Route::Control(ControlCall::Unknown)),
            ("GET", "/sandbox/control.css", Route::Control(ControlCall::Stylesheet)),
            ("GET", "/sandbox/state", Route::Control(ControlCall::Dump)),
            ("PUT", "/sandbox/state", Route::Control(ControlCall::Load)),
            ("DELETE", "/sandbox/state", Route::Control(ControlCall::Reset)),
            ("POST", "/sandbox/state", Route::Control(ControlCall::Unknown)),
            ("POST", "/sandbox/accounts/lnac_test_1/settle", Route::Control(ControlCall::Settle("lnac_test_1"))),
            ("POST", "/sandbox/accounts//settle", Route::Control(ControlCall::Settle(""))),
            ("GET", "/sandbox/accounts/lnac_test_1/settle", Route::Control(ControlCall::Unknown)),
            ("POST", "/sandbox/accounts/lnac_test_1", Route::Control(ControlCall::Unknown)),
            ("GET", "/sandbox/clock", Route::Control(ControlCall::Clock)),
            ("PUT", "/sandbox/clock", Route::Control(ControlCall::SetClock)),
            ("GET", "/sandbox/faults", Route::Control(ControlCall::Faults)),
            ("PUT", "/sandbox/faults", Route::Control(ControlCall::SetFaults)),
            ("DELETE", "/sandbox/faults", Route::Control(ControlCall::ClearFaults)),
            ("GET", "/sandbox/requests", Route::Control(ControlCall::Requests)),
            ("DELETE", "/sandbox/requests", Route::Control(ControlCall::ClearRequests)),
            ("PUT", "/sandbox/requests", Route::Control(ControlCall::Unknown)),
            ("GET", "/sandbox/deliveries", Route::Control(ControlCall::Deliveries)),
            ("POST", "/sandbox/deliveries", Route::Control(ControlCall::Unknown)),
            (
                "POST",
                "/sandbox/deliveries/whdl_test_1/redeliver",
                Route::Control(ControlCall::Redeliver("whdl_test_1")),
            ),
            ("GET", "/sandbox/webhook", Route::Control(ControlCall::Webhook)),
            ("PUT", "/sandbox/webhook", Route::Control(ControlCall::SetWebhook)),
            ("DELETE", "/sandbox/webhook", Route::Control(ControlCall::Unknown)),
            ("POST", "/sandbox/webhook/secrets", Route::Control(ControlCall::RotateSecret)),
            ("GET", "/sandbox/webhook/secrets", Route::Control(ControlCall::Unknown)),
            ("GET", "/sandbox_x", Route::Unknown),
            ("GET", "/Sandbox", Route::Unknown),
            ("GET", "//linked_accounts", Route::Unknown),
            ("GET", "/Linked_Accounts/lnac_test_1", Route::Unknown),
            ("GET", "/linked_accounts_x", Route::Unknown),
            ("GET", "/", Route::Index),
            ("POST", "/", Route::Unknown),
            ("GET", "//", Route::Unknown),
            ("GET", "", Route::Unknown),
            ("get", "/register", Route::Unknown),
        ] {
            assert_eq!(Route::find(method, path), expected, "{method} {path}");
        }
    }
}
