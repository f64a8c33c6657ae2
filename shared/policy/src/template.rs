//! The grammar of route templates.

/// One segment of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segment<'t> {
    /// Text that must be there as it is. Empty only as the last segment: a trailing slash.
    Literal(&'t str),
    /// `{name}`: any one segment that is not empty.
    Parameter(&'t str),
    /// `{*name}`: one segment or more, to the end.
    Rest(&'t str),
}

/// Splits a template into its segments.
///
/// # Errors
/// What is wrong and what to write instead.
pub(crate) fn parse(template: &str) -> Result<Vec<Segment<'_>>, String> {
    let Some(relative) = template.strip_prefix('/') else {
        return Err(format!("the path `{template}` must start with `/`; write `/{template}`"));
    };
    if template.len() > MAX_BYTES {
        return Err(format!("the path is longer than {MAX_BYTES} bytes; write a shorter one"));
    }
    let mut names = Vec::new();
    let mut segments = Vec::new();
    let mut parts = relative.split('/').peekable();
    while let Some(part) = parts.next() {
        let segment = segment(part, parts.peek().is_none(), template)?;
        if let Segment::Parameter(name) | Segment::Rest(name) = segment {
            if names.contains(&name) {
                return Err(format!(
                    "the path `{template}` has two parameters `{{{name}}}`; name one of them otherwise"
                ));
            }
            names.push(name);
        }
        segments.push(segment);
    }
    Ok(segments)
}

/// The names of a template's parameters, in order.
pub(crate) fn parameters(template: &str) -> Vec<&str> {
    let segments = parse(template).unwrap_or_default().into_iter();
    let name = |segment| match segment {
        Segment::Parameter(name) | Segment::Rest(name) => Some(name),
        Segment::Literal(_) => None,
    };
    segments.filter_map(name).collect()
}

/// The template with its parameters unnamed, for comparing which paths two templates take.
pub(crate) fn shape(segments: &[Segment<'_>]) -> String {
    let mut shape = String::new();
    for segment in segments {
        shape.push('/');
        shape.push_str(match segment {
            Segment::Literal(text) => text,
            Segment::Parameter(_) => "{}",
            Segment::Rest(_) => "{*}",
        });
    }
    shape
}

/// The longest template, in bytes: an API Gateway policy names it inside a resource of 512 characters.
const MAX_BYTES: usize = 400;

fn segment<'t>(part: &'t str, last: bool, template: &str) -> Result<Segment<'t>, String> {
    if part.is_empty() {
        return if last {
            Ok(Segment::Literal(part))
        } else {
            Err(format!("the path `{template}` has an empty segment; write it with single slashes"))
        };
    }
    if part.bytes().all(|byte| byte == b'.') {
        return Err(format!(
            "the path `{template}` has the segment `{part}`, which no request can have; leave it out"
        ));
    }
    if let Some(inner) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        let (name, rest) = inner.strip_prefix('*').map_or((inner, false), |name| (name, true));
        if !is_name(name) {
            return Err(format!(
                "the parameter `{part}` in `{template}` is not a name; write a lower-case letter, then lower-case letters, \
                 digits and `_`, as in `{{customer_id}}`"
            ));
        }
        if rest && !last {
            return Err(format!(
                "`{part}` takes the rest of the path, so it must be the last segment of `{template}`"
            ));
        }
        return Ok(if rest { Segment::Rest(name) } else { Segment::Parameter(name) });
    }
    if part.contains(['{', '}']) {
        return Err(format!(
            "a parameter must be a whole segment, but `{part}` in `{template}` is part of one; write `{{name}}` between slashes"
        ));
    }
    if let Some(character) = part.chars().find(|character| !is_literal(*character)) {
        return Err(format!(
            "the path `{template}` has the character `{}`; write letters, digits and `-._~!$&'()+,=:@`, and `{{name}}` for \
             what varies",
            character.escape_default()
        ));
    }
    Ok(Segment::Literal(part))
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// RFC 3986 section 3.3, less `;`, and less `*`, which is a wildcard in an API Gateway policy.
fn is_literal(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-._~!$&'()+,=:@".contains(character)
}
