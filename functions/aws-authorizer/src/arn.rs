//! The ARN of a request to a deployed API, and the policy resources that begin like it.

/// `arn:{partition}:execute-api:{region}:{account}:{api}/{stage}/{method}/{path…}`, or `…/{stage}/$connect`.
///
/// Split at most at five `:` and three `/`, so that whatever the client wrote stays in the path, where it may hold any of them
/// (as aws/chalice#1775 shows what happens otherwise). The parts before it are the platform's and are held to their grammar:
/// no wildcard of an IAM policy passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MethodArn<'a> {
    /// Up to and with the stage.
    stage: &'a str,
    called: Called<'a>,
}

/// What was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Called<'a> {
    /// A method of a REST API or an HTTP API.
    Method {
        method: &'a str,
        /// Without its leading slash; percent-encoded as API Gateway left it.
        path: &'a str,
    },
    /// `$connect` of a WebSocket API.
    Connect,
}

impl<'a> MethodArn<'a> {
    /// None for anything else, such as the ARN of an HTTP API's `$default` route key, which names no method.
    pub(crate) fn parse(arn: &'a str) -> Option<Self> {
        if arn.len() > MAX_BYTES {
            return None;
        }
        let mut parts = arn.splitn(6, ':');
        let scheme = parts.next()?;
        let (partition, service, region, account) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let resource = parts.next()?;
        let mut parts = resource.splitn(3, '/');
        let (api, stage, rest) = (parts.next()?, parts.next()?, parts.next()?);
        let called = match rest.split_once('/') {
            None if rest == "$connect" => Called::Connect,
            None => Called::Method { method: rest, path: "" },
            Some((method, path)) => Called::Method { method, path },
        };
        let known = scheme == "arn"
            && service == "execute-api"
            && partition.starts_with("aws")
            && is_name(partition, |byte| byte.is_ascii_lowercase() || byte == b'-')
            && is_name(region, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && account.len() == 12
            && is_name(account, |byte| byte.is_ascii_digit())
            && is_name(api, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            && (stage == "$default"
                || is_name(stage, |byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)))
            && match called {
                Called::Method { method, .. } => is_name(method, |byte| byte.is_ascii_uppercase()),
                Called::Connect => true,
            };
        let stage = arn.strip_suffix(rest)?.strip_suffix('/')?;
        known.then_some(Self { stage, called })
    }

    /// What was called.
    pub(crate) fn called(&self) -> Called<'a> {
        self.called
    }

    /// Everything up to and with the stage, without a slash after it: how each resource of a policy begins.
    pub(crate) fn stage(&self) -> &'a str {
        self.stage
    }
}

/// The longest that API Gateway makes; it answers 414 beyond.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html>
const MAX_BYTES: usize = 1600;

/// The longest part before the path, which is a stage's name.
const MAX_NAME: usize = 128;

fn is_name(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGE: &str = "arn:aws:execute-api:eu-west-1:123456789012:abcdef123/prod";

    #[test]
    fn attack_27_whatever_the_client_wrote_stays_in_the_path() {
        for path in [
            "",
            "customers",
            "customers/42",
            "customers/42/orders/7",
            "a:b",
            "a:b:c/d:e",
            "a//b",
            "//",
            "*",
            "?",
            "a%2fb",
            "a%2Fb",
            "../../POST/admin",
            "$connect",
            "caf\u{e9}",
            "arn:aws:execute-api:eu-west-1:123456789012:abcdef123/prod/POST/admin",
        ] {
            let text = format!("{STAGE}/GET/{path}");
            let arn = MethodArn::parse(&text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(arn.called(), Called::Method { method: "GET", path });
            assert_eq!(arn.stage(), STAGE);
        }
    }

    #[test]
    fn every_partition_stage_and_kind_of_api_is_read() {
        for (arn, called) in [
            (
                "arn:aws-cn:execute-api:cn-north-1:123456789012:a1b2/$default/GET/a",
                Called::Method { method: "GET", path: "a" },
            ),
            (
                "arn:aws-us-gov:execute-api:us-gov-west-1:123456789012:a1b2/v_1-2/DELETE/",
                Called::Method { method: "DELETE", path: "" },
            ),
            (
                "arn:aws:execute-api:eu-west-1:123456789012:a1b2/prod/GET",
                Called::Method { method: "GET", path: "" },
            ),
            ("arn:aws:execute-api:eu-west-1:123456789012:a1b2/prod/$connect", Called::Connect),
        ] {
            assert_eq!(MethodArn::parse(arn).map(|arn| arn.called()), Some(called), "{arn}");
        }
    }

    #[test]
    fn an_arn_that_is_not_a_called_method_is_none() {
        for arn in [
            "",
            "arn",
            ":::::",
            "arn:aws:execute-api:eu-west-1:123456789012",
            "arn:aws:execute-api:eu-west-1:123456789012:",
            "arn:aws:execute-api:eu-west-1:123456789012:abcdef123",
            "arn:aws:execute-api:eu-west-1:123456789012:abcdef123/prod",
            "arn:aws:execute-api:eu-west-1:123456789012:abcdef123/prod/",
            "arn:aws:execute-api:eu-west-1:123456789012:abcdef123/prod//customers",
            "arn:aws:execute-api:eu-west-1:123456789012:abcdef123/prod/$default",
            "arn:aws:execute-api:eu-west-1:123456789012:abcdef123/prod/$connect/a",
            "arn:aws:execute-api:eu-west-1:123456789012:abcdef123/prod/get/a",
            "arn:aws:execute-api:eu-west-1:123456789012:abcdef123/prod/\"GET\"/a",
            "arn:aws:execute-api:eu-west-1:123456789012:abcdef123/*/GET/a",
            "arn:aws:execute-api:eu-west-1:123456789012:*/prod/GET/a",
            "arn:aws:execute-api:eu-west-1:*:abcdef123/prod/GET/a",
            "arn:aws:execute-api:eu-west-1:12345678901:abcdef123/prod/GET/a",
            "arn:aws:execute-api:*:123456789012:abcdef123/prod/GET/a",
            "arn:aws:execute-api:eu-west-?:123456789012:abcdef123/prod/GET/a",
            "arn:*:execute-api:eu-west-1:123456789012:abcdef123/prod/GET/a",
            "arn:aws:lambda:eu-west-1:123456789012:abcdef123/prod/GET/a",
            "urn:aws:execute-api:eu-west-1:123456789012:abcdef123/prod/GET/a",
            " arn:aws:execute-api:eu-west-1:123456789012:abcdef123/prod/GET/a",
        ] {
            assert_eq!(MethodArn::parse(arn), None, "{arn}");
        }
        assert_eq!(MethodArn::parse(&format!("{STAGE}/GET/{}", "a".repeat(MAX_BYTES))), None);
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_a_panic_and_no_wildcard_gets_before_the_path(text in "(arn|aws|execute-api|:|/|[a-z0-9*?$]{1,12}){0,14}") {
            if let Some(arn) = MethodArn::parse(&text) {
                proptest::prop_assert!(!arn.stage().contains(['*', '?']));
            }
        }
    }
}
