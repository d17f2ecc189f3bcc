//! Which path means what.

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// Omise's API.
    Api(ApiCall<'a>),
    /// The bank.
    Bank(BankCall),
    /// The style sheet of the bank's page.
    Stylesheet,
    /// The control API.
    Control,
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

impl<'a> Route<'a> {
    /// Finds the route. Paths have one form: no trailing or doubled slash, case matters.
    pub(crate) fn find(method: &str, path: &'a str) -> Self {
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
            (_, ["linked_accounts" | "search", ..]) => Self::Api(ApiCall::Unknown),
            ("GET", ["register"]) => Self::Bank(BankCall::Show),
            ("POST", ["register"]) => Self::Bank(BankCall::Submit),
            ("GET", ["register.css"]) => Self::Stylesheet,
            (_, ["sandbox", ..]) => Self::Control,
            _ => Self::Unknown,
        }
    }

    /// Whether an account may be settled by it, or the clock moved.
    pub(crate) const fn settles(self) -> bool {
        matches!(self, Self::Bank(BankCall::Submit) | Self::Control)
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
            ("GET", "/linked_accounts/search/", Route::Api(ApiCall::Unknown)),
            ("GET", "/linked_accounts/Search", Route::Api(ApiCall::Retrieve("Search"))),
            ("GET", "/search", Route::Api(ApiCall::ScopedSearch)),
            ("POST", "/search", Route::Api(ApiCall::Unknown)),
            ("GET", "/search/", Route::Api(ApiCall::Unknown)),
            ("GET", "/linked_accounts/lnac_test_1", Route::Api(ApiCall::Retrieve("lnac_test_1"))),
            ("GET", "/linked_accounts/%2e%2e", Route::Api(ApiCall::Retrieve("%2e%2e"))),
            ("DELETE", "/linked_accounts/lnac_test_1", Route::Api(ApiCall::Delete("lnac_test_1"))),
            ("PATCH", "/linked_accounts/lnac_test_1", Route::Api(ApiCall::Unknown)),
            ("DELETE", "/linked_accounts", Route::Api(ApiCall::Unknown)),
            ("GET", "/linked_accounts/", Route::Api(ApiCall::Unknown)),
            ("GET", "/linked_accounts/lnac_test_1/", Route::Api(ApiCall::Unknown)),
            ("GET", "/linked_accounts/lnac_test_1/events", Route::Api(ApiCall::Unknown)),
            ("GET", "/register", Route::Bank(BankCall::Show)),
            ("POST", "/register", Route::Bank(BankCall::Submit)),
            ("PUT", "/register", Route::Unknown),
            ("GET", "/register.css", Route::Stylesheet),
            ("POST", "/register.css", Route::Unknown),
            ("GET", "/register/", Route::Unknown),
            ("GET", "/sandbox", Route::Control),
            ("POST", "/sandbox/webhook/secrets", Route::Control),
            ("GET", "/sandboxes", Route::Unknown),
            ("GET", "//linked_accounts", Route::Unknown),
            ("GET", "/Linked_Accounts/lnac_test_1", Route::Unknown),
            ("GET", "/linked_accounts_x", Route::Unknown),
            ("GET", "/", Route::Unknown),
            ("get", "/register", Route::Unknown),
        ] {
            assert_eq!(Route::find(method, path), expected, "{method} {path}");
        }
    }
}
