use drawbridge_verify::UnixTime;

use crate::{Decision, Gate, Request, context};

/// What a token grants in its backend, whatever became of the request that it came with: for answers that are remembered by token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// `sub`.
    pub principal: String,
    /// As [`Allow::context`](crate::Allow::context).
    pub context: Vec<(String, String)>,
    /// The configured routes that the token has the scopes for, by index. None that has `policy: true`: what is granted there is
    /// known only with the request.
    pub routes: Vec<usize>,
}

impl Gate {
    /// As [`decide`](Self::decide), with the standing of the caller where token, sender and context held and the decision is on
    /// record: of each allow, and of a deny that is about the route alone (`route.unknown`, `scope.missing`, `policy.denied`).
    pub async fn decide_and_stand(
        &self,
        request: &Request<'_>,
        now: UnixTime,
    ) -> (Decision, Option<Standing>) {
        let (decision, known) = self
            .decide_then(request, now, |claims, route| {
                let routes = self.routes.granted(claims).collect();
                let told = match route {
                    // The decision says it.
                    Some(_) => None,
                    None => {
                        Some((claims.subject().to_owned(), context::context(claims, &self.context).ok()?))
                    }
                };
                Some((routes, told))
            })
            .await;
        let standing = known.flatten().and_then(|(routes, told)| {
            let (principal, context) = match (told, &decision) {
                (Some(told), _) => told,
                (None, Decision::Allow(allow)) => (allow.principal.clone(), allow.context.clone()),
                (None, Decision::Deny(_)) => return None,
            };
            Some(Standing { principal, context, routes })
        });
        (decision, standing)
    }
}
