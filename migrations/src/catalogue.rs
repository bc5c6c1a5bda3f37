//! The catalogue of regions and zones as rows, so that a foreign key can ask where a zone lies.
//!
//! Rows are added whenever a newer catalogue has more of them. None is ever changed or taken away: what stands in a
//! region that a later catalogue leaves out must still be found and removed.

use std::collections::BTreeSet;

use regions::{Region, Zone, regions};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbErr, Statement, Value};

/// Adds what the database does not have yet, however often it is called.
///
/// # Errors
/// What the database says, and [`DbErr::Migration`] if it has a region in another residency than the catalogue.
pub async fn seed<C: ConnectionTrait>(db: &C) -> Result<(), DbErr> {
    let all: Vec<_> = regions().collect();
    let rows = all.iter().map(|region| vec![region.cloud().as_str(), region.name(), region.residency().as_str()]);
    insert(db, "regions (cloud, name, residency)", rows).await?;
    refuse_moved(db).await?;
    for region in &all {
        let residency = region.residency().as_str();
        let rows = region.zones().map(|zone| vec![region.cloud().as_str(), region.name(), zone.name(), residency]);
        insert(db, "zones (cloud, region, name, residency)", rows).await?;
    }
    Ok(())
}

/// The zones of the catalogue that the database does not have, because it was last seeded by an older release.
///
/// # Errors
/// What the database says.
pub async fn missing<C: ConnectionTrait>(db: &C) -> Result<Vec<String>, DbErr> {
    let sql = "SELECT cloud, region, name, residency FROM zones";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let mut known = BTreeSet::new();
    for row in rows {
        let column = |name: &str| row.try_get::<String>("", name);
        known.insert([column("cloud")?, column("region")?, column("name")?, column("residency")?]);
    }
    let zones = regions().flat_map(Region::zones);
    let lacks = |zone: &Zone| {
        let region = zone.region();
        let row = [zone.cloud().as_str(), region.name(), zone.name(), region.residency().as_str()];
        !known.contains(&row.map(str::to_owned))
    };
    Ok(zones.filter(lacks).map(|zone| zone.to_string()).collect())
}

async fn insert<C: ConnectionTrait>(
    db: &C,
    table: &str,
    rows: impl Iterator<Item = Vec<&'static str>>,
) -> Result<(), DbErr> {
    let mut tuples = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    for row in rows {
        let marks: Vec<String> = (1..=row.len()).map(|n| format!("${}", values.len() + n)).collect();
        tuples.push(format!("({})", marks.join(", ")));
        values.extend(row.into_iter().map(Value::from));
    }
    if tuples.is_empty() {
        return Ok(());
    }
    let sql = format!("INSERT INTO {table} VALUES {} ON CONFLICT DO NOTHING", tuples.join(", "));
    db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    Ok(())
}

/// A region does not move. If the catalogue was corrected, a person has to look at what stands there.
async fn refuse_moved<C: ConnectionTrait>(db: &C) -> Result<(), DbErr> {
    let sql = "SELECT cloud, name, residency FROM regions";
    for row in db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await? {
        let (cloud, name): (String, String) = (row.try_get("", "cloud")?, row.try_get("", "name")?);
        let recorded: String = row.try_get("", "residency")?;
        let known = regions().find(|region| region.cloud().as_str() == cloud && region.name() == name);
        if let Some(region) = known.filter(|region| region.residency().as_str() != recorded) {
            let actual = region.residency();
            return Err(DbErr::Migration(format!(
                "the database has region {region} in residency {recorded}, the catalogue in {actual}: remove what stands \
                 there, then correct its rows in regions and zones by hand"
            )));
        }
    }
    Ok(())
}
