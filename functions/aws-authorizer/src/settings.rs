//! What the function's environment says.

use drawbridge_aws::started_by_lambda;
use drawbridge_config::Environment;
use drawbridge_keys::BackendName;

/// The settings of one function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `DRAWBRIDGE_BACKEND`.
    pub(crate) backend: BackendName,
    /// `DRAWBRIDGE_HTTP_RESPONSE`.
    pub(crate) http_response: HttpResponse,
}

/// What an HTTP API with payload format 2.0 is answered with. The event does not say which one the authorizer was set to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum HttpResponse {
    /// `isAuthorized`, for authorizers with `enableSimpleResponses`.
    #[default]
    Simple,
    /// A policy, for authorizers without.
    Iam,
}

impl Settings {
    /// # Errors
    /// One line that says what to do.
    pub(crate) fn read(environment: &dyn Environment) -> Result<Self, String> {
        started_by_lambda(environment)?;
        let backend = environment.var("DRAWBRIDGE_BACKEND");
        let backend =
            backend.ok_or("DRAWBRIDGE_BACKEND is not set; name the backend that this authorizer guards")?;
        let backend = backend
            .parse()
            .map_err(|_| format!("DRAWBRIDGE_BACKEND: `{backend}` is no name of a backend"))?;
        let http_response = match environment.var("DRAWBRIDGE_HTTP_RESPONSE").as_deref() {
            None => HttpResponse::default(),
            Some("simple") => HttpResponse::Simple,
            Some("iam") => HttpResponse::Iam,
            Some(other) => {
                return Err(format!("DRAWBRIDGE_HTTP_RESPONSE: `{other}` is neither `simple` nor `iam`"));
            }
        };
        Ok(Self { backend, http_response })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Variables(Vec<(&'static str, &'static str)>);

    impl Environment for Variables {
        fn var(&self, name: &str) -> Option<String> {
            let lambda = name.starts_with("AWS_LAMBDA_").then_some("1");
            self.0
                .iter()
                .find(|(have, _)| *have == name)
                .map(|(_, value)| *value)
                .or(lambda)
                .map(str::to_owned)
        }
    }

    struct Nothing;

    impl Environment for Nothing {
        fn var(&self, _name: &str) -> Option<String> {
            None
        }
    }

    #[test]
    fn the_backend_is_required_and_the_answer_is_simple_by_default() {
        let settings = Settings::read(&Variables(vec![("DRAWBRIDGE_BACKEND", "orders")])).unwrap();
        assert_eq!(
            settings,
            Settings { backend: "orders".parse().unwrap(), http_response: HttpResponse::Simple }
        );
        let settings = Settings::read(&Variables(vec![
            ("DRAWBRIDGE_BACKEND", "a"),
            ("DRAWBRIDGE_HTTP_RESPONSE", "iam"),
        ]));
        assert_eq!(settings.unwrap().http_response, HttpResponse::Iam);
    }

    #[test]
    fn a_wrong_setting_is_one_line_that_names_it() {
        let table = [
            (vec![], "DRAWBRIDGE_BACKEND"),
            (vec![("DRAWBRIDGE_BACKEND", "Orders!")], "`Orders!`"),
            (
                vec![("DRAWBRIDGE_BACKEND", "orders"), ("DRAWBRIDGE_HTTP_RESPONSE", "Simple")],
                "DRAWBRIDGE_HTTP_RESPONSE: `Simple`",
            ),
        ];
        for (variables, said) in table {
            let error = Settings::read(&Variables(variables)).unwrap_err();
            assert!(error.contains(said) && error.lines().count() == 1, "{error}");
        }
        assert!(Settings::read(&Nothing).unwrap_err().contains("AWS_LAMBDA_RUNTIME_API"));
    }
}
