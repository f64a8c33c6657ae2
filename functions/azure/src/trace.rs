//! W3C Trace Context: one id for what happens to a request in every process that it passes.
//!
//! The handler takes part in a trace and reports no spans of its own, so it passes a caller's `traceparent` on as it is, with its
//! `tracestate`. Where there is none, or none that can be read, it begins a trace.
//!
//! <https://www.w3.org/TR/trace-context/>

use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// The trace of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    /// `00-<trace-id>-<parent-id>-<flags>`
    parent: String,
    state: Vec<HeaderValue>,
}

impl Trace {
    /// The caller's trace, or a new one. Two `traceparent`s are none.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut parents = headers.get_all(TRACEPARENT).iter();
        let parent = parents.next().filter(|_| parents.next().is_none());
        match parent.and_then(|parent| parent.to_str().ok()).and_then(parse) {
            Some(parent) => Self { parent, state: state(headers) },
            // The state of a trace that cannot be read is about nothing (section 4.3).
            None => Self { parent: new(), state: Vec::new() },
        }
    }

    /// 32 lower-case hex digits.
    pub(crate) fn id(&self) -> &str {
        self.parent.get(3..35).unwrap_or_default()
    }

    /// Puts the trace in place of whatever the headers said of one.
    pub(crate) fn set(&self, headers: &mut HeaderMap) {
        headers.remove(TRACEPARENT);
        headers.remove(TRACESTATE);
        headers.extend(HeaderValue::from_str(&self.parent).ok().map(|parent| (TRACEPARENT, parent)));
        for state in &self.state {
            headers.append(TRACESTATE, state.clone());
        }
    }
}

/// Section 3.2. Of a version that is not known yet only what the first one has is kept (section 4).
fn parse(text: &str) -> Option<String> {
    let (known, more) = text.split_at_checked(55)?;
    let mut fields = known.split('-');
    let [version, trace, parent, flags] = [fields.next()?, fields.next()?, fields.next()?, fields.next()?];
    let hex = |field: &str, length: usize| {
        field.len() == length && field.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let formed = hex(version, 2) && hex(trace, 32) && hex(parent, 16) && hex(flags, 2);
    let zero = |field: &str| field.bytes().all(|byte| byte == b'0');
    if !formed || version == "ff" || zero(trace) || zero(parent) {
        return None;
    }
    match version {
        "00" => more.is_empty().then(|| known.to_owned()),
        _ if more.is_empty() || more.starts_with('-') => {
            let sampled = u8::from_str_radix(flags, 16).ok()? & 1;
            Some(format!("00-{trace}-{parent}-{sampled:02x}"))
        }
        _ => None,
    }
}

/// The caller's `tracestate`, if it is small enough to be passed on whole (section 3.3.1.5: 512 characters must be).
fn state(headers: &HeaderMap) -> Vec<HeaderValue> {
    let values: Vec<HeaderValue> = headers.get_all(TRACESTATE).iter().cloned().collect();
    let visible = values.iter().all(|value| value.to_str().is_ok());
    let length: usize = values.iter().map(HeaderValue::len).sum();
    if visible && length <= 512 { values } else { Vec::new() }
}

/// A trace of the handler's own: not sampled, because nothing here records it.
fn new() -> String {
    let parent = Uuid::new_v4().simple().to_string();
    let parent = parent.get(..16).unwrap_or_default();
    format!("00-{}-{parent}-00", Uuid::new_v4().simple())
}

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(headers: &[(HeaderName, &str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn set(trace: &Trace) -> HeaderMap {
        let mut headers = headers(&[(TRACEPARENT, "of another"), (TRACESTATE, "of=another")]);
        trace.set(&mut headers);
        headers
    }

    #[test]
    fn a_trace_goes_on_as_it_came() {
        let trace = Trace::of(&headers(&[(TRACEPARENT, PARENT), (TRACESTATE, "a=1"), (TRACESTATE, "b=2")]));
        assert_eq!(trace.id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let set = set(&trace);
        assert_eq!(set.get_all(TRACEPARENT).iter().collect::<Vec<_>>(), [PARENT]);
        assert_eq!(set.get_all(TRACESTATE).iter().collect::<Vec<_>>(), ["a=1", "b=2"]);
        let state = "a".repeat(513);
        assert_eq!(Trace::of(&headers(&[(TRACEPARENT, PARENT), (TRACESTATE, &state)])).state, [""; 0]);
    }

    #[test]
    fn what_comes_of_a_later_version_is_what_the_first_one_has() {
        for (later, kept) in [
            (PARENT.replacen("00", "cc", 1), Some(PARENT)),
            (format!("{}-what-the-future", PARENT.replacen("00", "01", 1)), Some(PARENT)),
            (PARENT.replacen("00", "cc", 1).replace("b7-01", "b7-ff"), Some(PARENT)),
            (format!("{}.what", PARENT.replacen("00", "cc", 1)), None),
            (PARENT.replacen("00", "ff", 1), None),
        ] {
            assert_eq!(parse(&later).as_deref(), kept, "{later}");
        }
    }

    #[test]
    fn a_trace_that_is_missing_or_cannot_be_read_is_a_new_one_without_state() {
        let upper = PARENT.to_uppercase();
        let more = format!("{PARENT}-more");
        let zero = PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32));
        let nobody = PARENT.replace("00f067aa0ba902b7", &"0".repeat(16));
        let table: [&[&str]; 10] = [
            &[],
            &[""],
            &[PARENT, PARENT],
            &[&upper],
            &[&more],
            &[&zero],
            &[&nobody],
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"],
            &["0-04bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
            &["00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01"],
        ];
        for parents in table {
            let mut given: Vec<_> = parents.iter().map(|parent| (TRACEPARENT, *parent)).collect();
            given.push((TRACESTATE, "a=1"));
            let trace = Trace::of(&headers(&given));
            assert_eq!(parse(&trace.parent).as_deref(), Some(trace.parent.as_str()), "{parents:?}");
            assert!(!PARENT.contains(trace.id()), "{parents:?}");
            assert!(!set(&trace).contains_key(TRACESTATE), "{parents:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_sent_what_goes_on_is_of_the_first_version(text in "[ -~]{0,80}|[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}") {
            let trace = Trace::of(&headers(&[(TRACEPARENT, &text)]));
            prop_assert_eq!(parse(&trace.parent), Some(trace.parent.clone()));
            prop_assert_eq!(trace.id().len(), 32);
        }
    }
}
