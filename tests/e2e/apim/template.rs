//! Terraform's `templatefile`, as far as the policies use it: `${name}`, `%{ for header in headers ~}` and `%{ if name ~}`, directives on lines
//! of their own.

use std::path::PathBuf;

use drawbridge_tests::binary::workspace;

/// What the module puts into the policies; `variables.tf` says the same of the deployed ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inputs<'a> {
    pub(crate) backend: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [&'a str],
    pub(crate) mutual_tls: bool,
    pub(crate) front_door: bool,
    pub(crate) upstream_identity: bool,
}

/// A policy as it stands in the module.
pub(crate) fn source(name: &str) -> String {
    let file: PathBuf = workspace().join("infra/azure/api-management/policies").join(name);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

pub(crate) fn render(template: &str, inputs: &Inputs<'_>) -> String {
    let mut rendered = String::new();
    let mut lines = template.lines();
    while let Some(line) = lines.next() {
        let Some(directive) = line.trim().strip_prefix("%{") else {
            rendered.push_str(line);
            rendered.push('\n');
            continue;
        };
        let directive =
            directive.strip_suffix("~}").unwrap_or_else(|| panic!("`{line}` does not end in `~}}`"));
        let end = if directive.trim_start().starts_with("for") { "%{ endfor ~}" } else { "%{ endif ~}" };
        let mut body = String::new();
        for line in lines.by_ref().take_while(|line| line.trim() != end) {
            body.push_str(line);
            body.push('\n');
        }
        let wanted = match directive.trim() {
            "for header in headers" => {
                for header in inputs.headers {
                    rendered.push_str(&body.replace("${header}", header));
                }
                continue;
            }
            "if mutual_tls" => inputs.mutual_tls,
            "if front_door" => inputs.front_door,
            "if upstream_identity" => inputs.upstream_identity,
            other => panic!("the directive `{other}` is not known"),
        };
        if wanted {
            rendered.push_str(&body);
        }
    }
    let rendered = rendered.replace("${backend}", inputs.backend).replace("${path}", inputs.path);
    assert!(!rendered.contains("${") && !rendered.contains("%{"), "not everything is rendered:\n{rendered}");
    rendered
}
