//! `stores`: where private keys live.

use std::path::Path;

use url::Url;

use crate::{
    Store,
    diagnostics::{Report, Reported, quote},
    issuer::one,
    tree::{Fields, Node, fields, word},
    values::{address, text},
};

pub(crate) fn store(node: &Node, folder: &Path, report: &Report) -> Result<Store, Reported> {
    fields(node, report, |store| {
        let forms = [
            store
                .optional("directory", |node, report| Ok(Store::Directory(folder.join(text(node, report)?)))),
            store.optional("secrets_manager", |node, report| {
                fields(node, report, |at| {
                    let (prefix, region) = (prefix(at), at.optional("region", region));
                    Ok(Store::SecretsManager { prefix: prefix?, region: region? })
                })
            }),
            store.optional("kms", |node, report| {
                fields(node, report, |at| {
                    let (prefix, region) = (prefix(at), at.optional("region", region));
                    let prefix = prefix?;
                    if prefix == "aws" || prefix.starts_with("aws/") {
                        let message = "aliases that begin with `aws/` are those of AWS; write another prefix";
                        return Err(report.at(at.place_of("prefix"), message));
                    }
                    Ok(Store::Kms { prefix, region: region? })
                })
            }),
            store.optional("key_vault", |node, report| {
                fields(node, report, |at| {
                    let url = at.required(
                        "url",
                        "the vault's address, as in `https://NAME.vault.azure.net`",
                        vault,
                    );
                    let secrets = at.or("form", false, word(&[("keys", false), ("secrets", true)]));
                    Ok(Store::KeyVault { url: url?, secrets: secrets? })
                })
            }),
        ];
        one(forms).unwrap_or_else(|| {
            Err(store.mistake(
                "must be of exactly one kind; write one of `directory`, \
                 `secrets_manager`, `kms` and `key_vault`",
            ))
        })
    })
}

/// What both Secrets Manager and KMS allow in a name.
fn prefix(at: &mut Fields<'_>) -> Result<String, Reported> {
    at.or("prefix", "drawbridge".to_owned(), |node, report| {
        let prefix = text(node, report)?;
        let segment = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        if prefix.len() > 128 || !prefix.split('/').all(segment) {
            let message = format!(
                "{} is no prefix; write letters, digits, `_` and `-`, with single `/` between, at most 128",
                quote(&prefix)
            );
            return Err(report.at(&node.place, message));
        }
        Ok(prefix)
    })
}

fn region(node: &Node, report: &Report) -> Result<String, Reported> {
    let region = text(node, report)?;
    let parts: Vec<_> = region.split('-').collect();
    let is_region = match parts.split_last() {
        Some((number, [area, rest @ ..])) if !rest.is_empty() => {
            (1..=2).contains(&number.len())
                && number.bytes().all(|byte| byte.is_ascii_digit())
                && [area]
                    .into_iter()
                    .chain(rest)
                    .all(|part| part.len() >= 2 && part.bytes().all(|byte| byte.is_ascii_lowercase()))
        }
        _ => false,
    };
    if !is_region {
        return Err(report
            .at(&node.place, format!("{} is no AWS region; write one such as `eu-west-1`", quote(&region))));
    }
    Ok(region)
}

fn vault(node: &Node, report: &Report) -> Result<Url, Reported> {
    let url = address(node, report)?;
    if url.scheme() != "https" {
        return Err(report
            .at(&node.place, format!("{} is not encrypted on its way; write `https`", quote(url.as_str()))));
    }
    if url.path() != "/" {
        return Err(report.at(
            &node.place,
            format!("{} names more than the vault; leave out its path", quote(url.as_str())),
        ));
    }
    Ok(url)
}
