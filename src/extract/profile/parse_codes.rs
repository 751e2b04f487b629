//! What a profile's text says of error codes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::Table;
use super::parse::{scope, word};
use super::{CodeRule, ProfileError, QuotaClass};
use crate::model::{Severity, ThrottleCause};

const CODE_KEYS: &[&str] = &["description", "scope", "quota", "cause", "severity", "throttles"];

pub(super) fn code_rules(
    table: &Table<'_>,
    classes: &[Arc<QuotaClass>],
) -> Result<BTreeMap<Arc<str>, CodeRule>, ProfileError> {
    let mut codes = BTreeMap::new();
    for (code, value) in table.values() {
        let rule = match value.table() {
            Some(table) => code_rule(&table, classes)?,
            None => CodeRule { description: Some(value.string()?.into()), throttles: true, ..CodeRule::default() },
        };
        codes.insert(code.into(), rule);
    }
    Ok(codes)
}

fn code_rule(table: &Table<'_>, classes: &[Arc<QuotaClass>]) -> Result<CodeRule, ProfileError> {
    table.accept(CODE_KEYS)?;
    let class = match table.value("quota") {
        Some(value) => {
            let name = value.string()?;
            let class = classes.iter().find(|class| *class.name == *name);
            Some(class.ok_or_else(|| value.error(format!("no quota is named {name:?}")))?)
        }
        None => None,
    };
    let causes = [
        ("quota", ThrottleCause::Quota),
        ("burst", ThrottleCause::Burst),
        ("concurrency", ThrottleCause::Concurrency),
        ("abuse", ThrottleCause::Abuse),
        ("billing", ThrottleCause::Billing),
        ("unspecified", ThrottleCause::Unspecified),
    ];
    let severities = [Severity::Info, Severity::Warning, Severity::High, Severity::Critical].map(|s| (s.as_str(), s));
    let own_scope = table.value("scope").map(|v| scope(&v)).transpose()?;
    let class_scope = || class.and_then(|c| c.quotas.first()).and_then(|quota| quota.scope.clone());
    Ok(CodeRule {
        description: table.string("description")?.map(Arc::from),
        scope: own_scope.or_else(class_scope),
        quota: class.map(|c| Arc::clone(&c.name)),
        cause: table.value("cause").map(|v| word(&v, &causes)).transpose()?,
        severity: table.value("severity").map(|v| word(&v, &severities)).transpose()?,
        throttles: table.boolean("throttles")?.unwrap_or(true),
    })
}
