use drawbridge_config::Environment;

/// Whether this process has what the Lambda runtime library needs of Lambda: it panics on a variable that is missing, instead of naming
/// it.
///
/// # Errors
/// One line that names the first one.
pub fn started_by_lambda(environment: &dyn Environment) -> Result<(), String> {
    match LAMBDA.into_iter().find(|name| environment.var(name).is_none()) {
        None => Ok(()),
        Some(name) => Err(format!("{name} is not set: this is a Lambda function, which Lambda starts")),
    }
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
const LAMBDA: [&str; 4] = [
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_function_that_lambda_did_not_start_is_told_which_variable_it_misses() {
        struct Variables(BTreeMap<&'static str, String>);
        impl Environment for Variables {
            fn var(&self, name: &str) -> Option<String> {
                self.0.get(name).cloned()
            }
        }

        let names = [
            "AWS_LAMBDA_RUNTIME_API",
            "AWS_LAMBDA_FUNCTION_NAME",
            "AWS_LAMBDA_FUNCTION_VERSION",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        ];
        let all: BTreeMap<_, _> = names.map(|name| (name, "1".to_owned())).into();
        assert_eq!(started_by_lambda(&Variables(all.clone())), Ok(()));
        for name in names {
            let mut without = all.clone();
            without.remove(name);
            let said = started_by_lambda(&Variables(without)).unwrap_err();
            assert!(said.starts_with(&format!("{name} is not set")), "{said}");
        }
    }
}
