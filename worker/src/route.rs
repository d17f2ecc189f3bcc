//! Which path means what.

use std::sync::OnceLock;

use matchit::Router;
use omise_linked_accounts::Reason;

use crate::answer::Failure;

/// A path that the Worker knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    Accounts,
    Account,
    Confirm,
    Health,
}

impl Path {
    /// Every path, in the router's own notation. A fixed segment goes before a parameter.
    const ALL: [(&'static str, Self); 4] = [
        ("/linked_accounts", Self::Accounts),
        ("/linked_accounts/confirm", Self::Confirm),
        ("/linked_accounts/{id}", Self::Account),
        ("/health", Self::Health),
    ];

    /// The value of `Allow`.
    const fn methods(self) -> &'static str {
        match self {
            Self::Accounts | Self::Confirm => "POST, OPTIONS",
            Self::Account => "GET, DELETE, OPTIONS",
            Self::Health => "GET, OPTIONS",
        }
    }
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Create,
    Confirm,
    Retrieve(String),
    Delete(String),
    Health,
    Preflight,
}

impl Route {
    /// The route's name in the log: never an id.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Confirm => "confirm",
            Self::Retrieve(_) => "retrieve",
            Self::Delete(_) => "delete",
            Self::Health => "health",
            Self::Preflight => "preflight",
        }
    }

    /// Finds the route. Paths have one form: no trailing or doubled slash, case matters.
    ///
    /// # Errors
    ///
    /// 404 for an unknown path, 405 with `Allow` for an unknown method.
    pub(crate) fn find(method: &str, path: &str) -> Result<Self, Failure> {
        static ROUTER: OnceLock<Router<Path>> = OnceLock::new();

        let router = ROUTER.get_or_init(|| {
            let mut router = Router::new();
            for (pattern, path) in Path::ALL {
                // patterns are fixed and a test inserts them
                let _ = router.insert(pattern, path);
            }
            router
        });
        let found = router.at(path).map_err(|_| Reason::RouteNotFound)?;
        let id = || found.params.get("id").unwrap_or_default().to_owned();
        match (found.value, method) {
            (_, "OPTIONS") => Ok(Self::Preflight),
            (Path::Accounts, "POST") => Ok(Self::Create),
            (Path::Confirm, "POST") => Ok(Self::Confirm),
            (Path::Account, "GET") => Ok(Self::Retrieve(id())),
            (Path::Account, "DELETE") => Ok(Self::Delete(id())),
            (Path::Health, "GET") => Ok(Self::Health),
            (path, _) => Err(Failure::new(Reason::MethodNotAllowed).with_allow(path.methods())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        let id = || "lnac_test_1".to_owned();
        for (method, path, expected) in [
            ("POST", "/linked_accounts", Ok(Route::Create)),
            ("POST", "/linked_accounts/confirm", Ok(Route::Confirm)),
            ("GET", "/linked_accounts/lnac_test_1", Ok(Route::Retrieve(id()))),
            ("DELETE", "/linked_accounts/lnac_test_1", Ok(Route::Delete(id()))),
            ("GET", "/linked_accounts/%2e%2e", Ok(Route::Retrieve("%2e%2e".to_owned()))),
            ("GET", "/health", Ok(Route::Health)),
            ("OPTIONS", "/linked_accounts/lnac_test_1", Ok(Route::Preflight)),
            ("GET", "/linked_accounts/confirm", Err(Reason::MethodNotAllowed)),
            ("PUT", "/linked_accounts", Err(Reason::MethodNotAllowed)),
            ("HEAD", "/linked_accounts/lnac_test_1", Err(Reason::MethodNotAllowed)),
            ("TRACE", "/health", Err(Reason::MethodNotAllowed)),
            ("get", "/health", Err(Reason::MethodNotAllowed)),
            ("GET", "/", Err(Reason::RouteNotFound)),
            ("GET", "", Err(Reason::RouteNotFound)),
            ("GET", "/linked_accounts/", Err(Reason::RouteNotFound)),
            ("GET", "//linked_accounts", Err(Reason::RouteNotFound)),
            ("GET", "/Linked_Accounts/lnac_test_1", Err(Reason::RouteNotFound)),
            ("GET", "/linked_accounts/lnac_test_1/", Err(Reason::RouteNotFound)),
            ("GET", "/linked_accounts/lnac_test_1/x", Err(Reason::RouteNotFound)),
        ] {
            let found = Route::find(method, path).map_err(|failure| failure.reason);
            assert_eq!(found, expected, "{method} {path}");
        }
    }
}
