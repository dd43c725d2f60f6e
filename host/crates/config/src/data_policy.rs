//! `data_policy` of a target: what its operator says becomes of what is sent there.
//!
//! It is a declaration, which policies go by and nobody here can check. So silence is never a promise: what isn't said is unknown, and is
//! told so.

use super::fields::{Field, Fields};

/// What is declared of a target's handling of data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DataPolicy {
    /// For how many days it keeps what it is sent; 0 if it keeps nothing. `None`: that isn't said.
    pub retention_days: Option<u32>,
    /// Whether it trains models on what it is sent. `None`: that isn't said.
    pub trains: Option<bool>,
    /// Where it handles it.
    pub region: Option<String>,
}

/// Reads `data_policy` of a target, and what stands for parts of it: `zdr` and `data_collection`.
pub(super) fn read(target: &Fields<'_>) -> Option<DataPolicy> {
    let given = target.get("data_policy");
    let fields = match given {
        Some(field) => Some(field.fields(&[
            "zero_data_retention",
            "training_opt_out",
            "retention_days",
            "region",
        ])?),
        None => None,
    };
    let inner = |key| fields.as_ref().and_then(|fields| fields.get(key));
    let keeps_nothing = flag(inner("zero_data_retention"), |it| it.boolean());
    let opted_out = flag(inner("training_opt_out"), |it| it.boolean());
    let days = flag(inner("retention_days"), |it| it.integer(0..=36_500));
    let region = flag(inner("region"), Field::id);
    let short = flag(target.get("zdr"), |it| it.boolean());
    let collects = flag(target.get("data_collection"), |it| {
        it.one_of(&[("allow", true), ("deny", false)], &[])
    });
    let (keeps_nothing, opted_out, days) = (keeps_nothing?, opted_out?, days?);
    let (region, short, collects) = (region?, short?, collects?);
    let differs = |at: &str, other: &str| {
        if let Some(field) = target.get(at) {
            field.problem(format!(
                "this and {other} say different things; say it in one place"
            ));
        }
        None
    };
    if let (Some(long), Some(short)) = (keeps_nothing, short)
        && long != short
    {
        return differs("zdr", "`data_policy.zero_data_retention`");
    }
    if let (Some(opted_out), Some(collects)) = (opted_out, collects)
        && opted_out == collects
    {
        return differs("data_collection", "`data_policy.training_opt_out`");
    }
    let keeps_nothing = keeps_nothing.or(short);
    match (keeps_nothing, days) {
        (Some(true), Some(1..)) | (Some(false), Some(0)) => {
            let days = inner("retention_days").or(given);
            if let Some(field) = days {
                field.problem(
                    "this and zero data retention (`zero_data_retention`, `zdr`) say different things: 0 days are none",
                );
            }
            return None;
        }
        _ => {}
    }
    let none = keeps_nothing.and_then(|nothing| nothing.then_some(0));
    Some(DataPolicy {
        retention_days: match days {
            Some(days) => u32::try_from(days).ok(),
            None => none,
        },
        trains: opted_out.map(|out| !out).or(collects),
        region: region.map(str::to_owned),
    })
}

/// What is said, if anything is; `None` where it is wrong.
fn flag<'a, T>(
    field: Option<&Field<'a>>,
    read: impl FnOnce(&Field<'a>) -> Option<T>,
) -> Option<Option<T>> {
    match field {
        Some(field) => read(field).map(Some),
        None => Some(None),
    }
}
