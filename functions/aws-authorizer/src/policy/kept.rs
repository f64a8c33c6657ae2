//! Policies that need not be made again.
//!
//! A policy is made of the configuration, the stage, and few things of the request; with the same of these it is the same text.
//! What is kept is that text and no decision: which policy is right is found out for each request, and a memory that forgets
//! everything changes nothing but the time that an answer takes.

use std::{fmt::Write as _, iter, sync::Arc};

use drawbridge_policy::Routes;
use quick_cache::sync::Cache;
use serde_json::value::RawValue;

use super::{Policy, StageWide};
use crate::arn::{Called, MethodArn};

/// The texts of policies, by what they were made of.
pub(crate) struct Kept(Cache<String, Arc<RawValue>>);

impl Kept {
    /// As [`Policy::allow`].
    pub(crate) fn allow(
        &self,
        arn: &MethodArn<'_>,
        routes: &Routes,
        method: &str,
        template: &str,
    ) -> Option<Arc<RawValue>> {
        let make = || Policy::allow(arn, routes, method, template);
        match arn.called() {
            // Of a path that nothing is encoded in, such a policy has the number of segments and nothing else.
            Called::Method { path, .. } if !path.contains('%') && !template.contains("{*") => {
                let length = path.bytes().filter(|byte| *byte == b'/').count();
                let mut key = String::with_capacity(KEY);
                key.extend(iter::repeat_n('/', length));
                for part in [method, " ", template, " ", arn.stage()] {
                    key.push_str(part);
                }
                self.kept(key, make)
            }
            _ => make().as_ref().and_then(Policy::text),
        }
    }

    /// As [`StageWide::policy`].
    pub(crate) fn for_the_stage(
        &self,
        stage_wide: &StageWide,
        arn: &MethodArn<'_>,
        granted: &[usize],
    ) -> Option<Arc<RawValue>> {
        // A connection has none.
        let Called::Method { .. } = arn.called() else { return None };
        let mut key = String::with_capacity(KEY);
        for route in granted {
            let _ = write!(key, "{route} ");
        }
        key.push_str(arn.stage());
        self.kept(key, || stage_wide.policy(arn, granted))
    }

    fn kept(&self, key: String, make: impl FnOnce() -> Option<Policy>) -> Option<Arc<RawValue>> {
        if let Some(policy) = self.0.get(&key) {
            return Some(policy);
        }
        let policy = make()?.text()?;
        self.0.insert(key, Arc::clone(&policy));
        Some(policy)
    }
}

impl Default for Kept {
    fn default() -> Self {
        Self(Cache::new(POLICIES))
    }
}

/// Some 2 KB each: those of the routes of one stage, or of the sets of routes that tokens grant.
const POLICIES: usize = 128;

/// Few keys are longer.
const KEY: usize = 128;

#[cfg(test)]
mod tests {
    use drawbridge_policy::Route;

    use super::*;

    const STAGES: [&str; 2] = [
        "arn:aws:execute-api:eu-west-1:123456789012:abcdef123/prod",
        "arn:aws:execute-api:eu-west-1:123456789012:abcdef123/test",
    ];

    fn routes() -> Routes {
        let templates = [
            "/",
            "/customers",
            "/customers/{customer}",
            "/customers/{customer}/",
            "/a/{b}/c",
            "/files/{*rest}",
        ];
        let route = |template: &str| Route {
            template: template.to_owned(),
            methods: vec!["GET".to_owned(), "POST".to_owned()],
            scopes: Vec::new(),
            policy: false,
        };
        Routes::new(templates.map(route).into()).unwrap()
    }

    #[test]
    fn what_is_kept_is_what_would_be_made() {
        let (kept, routes) = (Kept::default(), routes());
        let paths = [
            "",
            "/",
            "customers",
            "customers/",
            "customers/1",
            "customers/1/",
            "customers/%31",
            "base/customers/1",
            "a/b/c",
            "a/%20/c",
            "files/a",
            "files/a/",
            "files/a/b",
            "files/%61",
        ];
        // Twice, so that the second time it is the kept one; in every pairing, as under a base path, where some have none.
        let mut kinds = std::collections::HashSet::new();
        for _ in 0..2 {
            for (stage, method) in
                STAGES.iter().flat_map(|stage| ["GET", "POST"].map(|method| (stage, method)))
            {
                for path in paths {
                    let arn = format!("{stage}/{method}/{path}");
                    let arn = MethodArn::parse(&arn).unwrap();
                    for route in routes.iter() {
                        let made = Policy::allow(&arn, &routes, method, &route.template);
                        let made = made.map(|policy| serde_json::to_string(&policy).unwrap());
                        let have = kept.allow(&arn, &routes, method, &route.template);
                        assert_eq!(
                            have.as_ref().map(|policy| policy.get()),
                            made.as_deref(),
                            "{arn:?} {}",
                            route.template
                        );
                        kinds.insert(made);
                    }
                }
            }
        }
        assert!(kinds.len() > 20 && kinds.contains(&None), "{}", kinds.len());
    }

    #[test]
    fn what_is_kept_for_a_stage_is_what_would_be_made() {
        let (kept, routes) = (Kept::default(), {
            let route = |(template, scope): (&str, &str)| Route {
                template: template.to_owned(),
                methods: vec!["GET".to_owned()],
                scopes: vec![scope.to_owned()],
                policy: false,
            };
            Routes::new(
                [("/customers", "a"), ("/customers/{customer}", "b"), ("/orders", "c")].map(route).into(),
            )
            .unwrap()
        });
        let stage_wide = StageWide::new(&routes).unwrap();
        for _ in 0..2 {
            for stage in STAGES {
                for (path, granted) in
                    [("customers", &[][..]), ("orders", &[0]), ("x", &[0, 1]), ("customers/%31", &[1, 2])]
                {
                    let arn = format!("{stage}/GET/{path}");
                    let arn = MethodArn::parse(&arn).unwrap();
                    let made = serde_json::to_string(&stage_wide.policy(&arn, granted).unwrap()).unwrap();
                    assert_eq!(kept.for_the_stage(&stage_wide, &arn, granted).unwrap().get(), made);
                }
            }
        }
    }
}
