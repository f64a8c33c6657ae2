//! Who this process is to Entra ID: chosen once, from the environment, without trying one thing after another.

use std::sync::Arc;

use azure_core::{
    credentials::TokenCredential,
    http::{ClientOptions, RetryOptions, Transport},
};
use azure_identity::{
    ClientAssertionCredentialOptions, DeveloperToolsCredential, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};
use drawbridge_config::Environment;

use crate::{error::Failure, transport};

/// Which identity, as the documentation of this crate has it in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// A token of the platform (AKS, or another that projects one) for the application of `AZURE_CLIENT_ID`.
    Workload,
    /// The managed identity of where this runs: the system-assigned one, or the user-assigned one of this client id.
    Managed(Option<String>),
    /// Whoever is signed in to the Azure CLI or the Azure Developer CLI.
    Developer,
}

impl Identity {
    pub(crate) fn choose(environment: &dyn Environment) -> Result<Self, Failure> {
        let managed = || Self::Managed(environment.var("AZURE_CLIENT_ID"));
        let federated = environment.var("AZURE_FEDERATED_TOKEN_FILE").is_some();
        let deployed = || if federated { Self::Workload } else { managed() };
        match environment.var("AZURE_TOKEN_CREDENTIALS").as_deref() {
            Some("WorkloadIdentityCredential") => Ok(Self::Workload),
            Some("ManagedIdentityCredential") => Ok(managed()),
            Some("AzureCliCredential" | "AzureDeveloperCliCredential" | "dev") => Ok(Self::Developer),
            Some("prod") => Ok(deployed()),
            Some(_) => Err(Failure::denied(
                "AZURE_TOKEN_CREDENTIALS names no credential that is used here: write `prod`, `dev`, \
                 `ManagedIdentityCredential` or `WorkloadIdentityCredential`",
            )),
            None if federated || environment.var("IDENTITY_ENDPOINT").is_some() => Ok(deployed()),
            None => Ok(Self::Developer),
        }
    }

    /// The credential. It asks for a token when the first one is needed, keeps it, and asks again five minutes before it expires.
    pub(crate) fn credential(&self) -> azure_core::Result<Arc<dyn TokenCredential>> {
        // What fails is tried again by whoever wanted a token, within one deadline for everything.
        let options = |transport: Transport| ClientOptions {
            retry: RetryOptions::none(),
            transport: Some(transport),
            ..ClientOptions::default()
        };
        Ok(match self {
            Self::Workload => WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                credential_options: ClientAssertionCredentialOptions {
                    client_options: options(transport::outward()?),
                },
                ..WorkloadIdentityCredentialOptions::default()
            }))?,
            Self::Managed(client_id) => {
                ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                    user_assigned_id: client_id.clone().map(UserAssignedId::ClientId),
                    client_options: options(transport::local()?),
                }))?
            }
            Self::Developer => DeveloperToolsCredential::new(None)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use drawbridge_keys::StoreError;

    use super::*;

    struct Variables(BTreeMap<&'static str, &'static str>);

    impl Environment for Variables {
        fn var(&self, name: &str) -> Option<String> {
            self.0.get(name).map(|value| (*value).to_owned())
        }
    }

    #[test]
    fn the_environment_names_one_identity() {
        let endpoint = ("IDENTITY_ENDPOINT", "http://localhost:4141/msi/token");
        let client = ("AZURE_CLIENT_ID", "f0e1");
        let federated = ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/secrets/token");
        let named = |name| ("AZURE_TOKEN_CREDENTIALS", name);
        let managed = |client: &str| Identity::Managed(Some(client.to_owned()));
        for (variables, expected) in [
            (&[][..], Identity::Developer),
            (&[client], Identity::Developer),
            (&[endpoint], Identity::Managed(None)),
            (&[endpoint, client], managed("f0e1")),
            (&[federated, client], Identity::Workload),
            (&[federated, endpoint, client], Identity::Workload),
            (&[named("dev"), endpoint], Identity::Developer),
            (&[named("AzureCliCredential"), endpoint], Identity::Developer),
            (&[named("prod")], Identity::Managed(None)),
            (&[named("prod"), federated], Identity::Workload),
            (&[named("ManagedIdentityCredential"), federated, client], managed("f0e1")),
            (&[named("ManagedIdentityCredential")], Identity::Managed(None)),
            (&[named("WorkloadIdentityCredential"), endpoint], Identity::Workload),
        ] {
            let environment = Variables(variables.iter().copied().collect());
            assert_eq!(Identity::choose(&environment), Ok(expected), "{variables:?}");
        }
    }

    #[test]
    fn a_credential_that_is_not_used_here_is_a_refusal_and_not_another_one() {
        for name in ["EnvironmentCredential", "Dev", "managed"] {
            let environment = Variables([("AZURE_TOKEN_CREDENTIALS", name)].into());
            let refused = Identity::choose(&environment).unwrap_err();
            assert!(matches!(refused.into(), StoreError::Denied(_)), "{name}");
        }
    }
}
