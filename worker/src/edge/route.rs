//! Routes: maps a method and path to a `Route`.

use omise_linked_accounts::Reason;

use crate::common::answer::Failure;

/// A path that the Worker knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    Accounts,
    Search,
    Confirm,
    Account,
    Banks,
    Webhook,
    Audit,
    Health,
    Ready,
    OpenApi,
}

/// Every path, as the contract writes it. The first match is taken, so a fixed segment goes before a parameter.
///
/// A table of ours, because a router would be a twentieth of the bundle.
const PATHS: [(&str, Path); 10] = [
    ("/linked_accounts", Path::Accounts),
    ("/linked_accounts/search", Path::Search),
    ("/linked_accounts/confirm", Path::Confirm),
    ("/linked_accounts/{id}", Path::Account),
    ("/banks", Path::Banks),
    ("/webhooks/omise", Path::Webhook),
    ("/audit", Path::Audit),
    ("/health", Path::Health),
    ("/ready", Path::Ready),
    ("/openapi.json", Path::OpenApi),
];

/// The paths of the contract.
#[cfg(test)]
pub(crate) fn templates() -> impl Iterator<Item = &'static str> {
    PATHS.into_iter().map(|(template, _)| template)
}

impl Path {
    /// Finds the path and its one parameter: a whole segment, never empty. A path without a parameter has an empty one.
    fn find(path: &str) -> Option<(Self, &str)> {
        PATHS.into_iter().find_map(|(template, found)| {
            let Some((before, _)) = template.split_once('{') else {
                return (path == template).then_some((found, ""));
            };
            let parameter = path.strip_prefix(before)?;
            (!parameter.is_empty() && !parameter.contains('/')).then_some((found, parameter))
        })
    }

    /// The value of `Allow`.
    const fn methods(self) -> &'static str {
        match self {
            Self::Accounts => "GET, POST, OPTIONS",
            Self::Confirm | Self::Webhook => "POST, OPTIONS",
            Self::Account => "GET, DELETE, OPTIONS",
            Self::Search | Self::Banks | Self::Audit | Self::Health | Self::Ready | Self::OpenApi => "GET, OPTIONS",
        }
    }
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Create,
    List,
    Search,
    Confirm,
    Retrieve(String),
    Delete(String),
    Banks,
    Webhook,
    Audit,
    Health,
    Ready,
    OpenApi,
    Preflight,
}

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Anyone,
    /// By the signature of a webhook.
    Omise,
    /// Whoever has a session, for themselves.
    Customer,
    /// A customer for their own accounts, an operator for all.
    Either,
    Operator,
}

impl Route {
    /// Who may call it.
    pub(crate) const fn who(&self) -> Who {
        match self {
            Self::Banks | Self::Health | Self::Ready | Self::OpenApi | Self::Preflight => Who::Anyone,
            Self::Webhook => Who::Omise,
            Self::Create | Self::Confirm => Who::Customer,
            Self::List | Self::Search | Self::Retrieve(_) | Self::Delete(_) => Who::Either,
            Self::Audit => Who::Operator,
        }
    }

    /// The route's name in the log: never an id.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::List => "list",
            Self::Search => "search",
            Self::Confirm => "confirm",
            Self::Retrieve(_) => "retrieve",
            Self::Delete(_) => "delete",
            Self::Banks => "banks",
            Self::Webhook => "webhook",
            Self::Audit => "audit",
            Self::Health => "health",
            Self::Ready => "ready",
            Self::OpenApi => "openapi",
            Self::Preflight => "preflight",
        }
    }

    /// Finds the route. Paths have one form: no trailing or doubled slash, case matters.
    ///
    /// # Errors
    ///
    /// 404 for an unknown path, 405 with `Allow` for an unknown method.
    pub(crate) fn find(method: &str, path: &str) -> Result<Self, Failure> {
        let (found, parameter) = Path::find(path).ok_or(Reason::RouteNotFound)?;
        let id = || parameter.to_owned();
        match (found, method) {
            (_, "OPTIONS") => Ok(Self::Preflight),
            (Path::Accounts, "POST") => Ok(Self::Create),
            (Path::Accounts, "GET") => Ok(Self::List),
            (Path::Search, "GET") => Ok(Self::Search),
            (Path::Confirm, "POST") => Ok(Self::Confirm),
            (Path::Account, "GET") => Ok(Self::Retrieve(id())),
            (Path::Account, "DELETE") => Ok(Self::Delete(id())),
            (Path::Banks, "GET") => Ok(Self::Banks),
            (Path::Webhook, "POST") => Ok(Self::Webhook),
            (Path::Audit, "GET") => Ok(Self::Audit),
            (Path::Health, "GET") => Ok(Self::Health),
            (Path::Ready, "GET") => Ok(Self::Ready),
            (Path::OpenApi, "GET") => Ok(Self::OpenApi),
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
            ("GET", "/linked_accounts", Ok(Route::List)),
            ("GET", "/linked_accounts/search", Ok(Route::Search)),
            ("GET", "/linked_accounts/searches", Ok(Route::Retrieve("searches".to_owned()))),
            ("GET", "/banks", Ok(Route::Banks)),
            ("POST", "/webhooks/omise", Ok(Route::Webhook)),
            ("GET", "/audit", Ok(Route::Audit)),
            ("GET", "/health", Ok(Route::Health)),
            ("GET", "/ready", Ok(Route::Ready)),
            ("GET", "/openapi.json", Ok(Route::OpenApi)),
            ("GET", "/webhooks/omise", Err(Reason::MethodNotAllowed)),
            ("DELETE", "/linked_accounts/search", Err(Reason::MethodNotAllowed)),
            ("OPTIONS", "/linked_accounts/lnac_test_1", Ok(Route::Preflight)),
            ("GET", "/linked_accounts/confirm", Err(Reason::MethodNotAllowed)),
            ("PUT", "/linked_accounts", Err(Reason::MethodNotAllowed)),
            ("HEAD", "/linked_accounts/lnac_test_1", Err(Reason::MethodNotAllowed)),
            ("TRACE", "/health", Err(Reason::MethodNotAllowed)),
            ("get", "/health", Err(Reason::MethodNotAllowed)),
            ("GET", "/", Err(Reason::RouteNotFound)),
            ("GET", "", Err(Reason::RouteNotFound)),
            ("GET", "banks", Err(Reason::RouteNotFound)),
            ("GET", "/banks/", Err(Reason::RouteNotFound)),
            ("POST", "/webhooks/omise/", Err(Reason::RouteNotFound)),
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
