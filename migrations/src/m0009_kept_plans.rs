//! The lookups before an identity is known, in a language that keeps their plans.
//!
//! A function in SQL that is nobody's to inline (it runs as its owner) is planned anew at every call; PL/pgSQL keeps the plan for the
//! session (PostgreSQL, "PL/pgSQL under the Hood", Plan Caching). Every request proves a token first: measured, the planning was half of all that
//! the server did for a builder that is ready. What the functions say is what migration 8 made them say.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::m0008_tenancy::{FENCED, PROOFS};

/// See the head of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        replace(manager, KEPT).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        replace(manager, &PROOFS.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")).await
    }
}

/// Owner and rights of a function stay; its search path has to be set again.
async fn replace(manager: &SchemaManager<'_>, functions: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let connection = manager.get_connection();
    connection.execute_unprepared(functions).await?;
    // It takes the functions from PUBLIC, which has none of them, and from nobody who was let in.
    connection.execute_unprepared(FENCED).await.map(drop)
}

const KEPT: &str = "
CREATE OR REPLACE FUNCTION proved_token(asked text) RETURNS TABLE (
    id uuid, kind text, org uuid, project uuid, person uuid, scope text, name text, expires bigint, last_used bigint,
    revoked bigint, org_name text, project_name text, user_name text
) STABLE SECURITY DEFINER LANGUAGE plpgsql AS $$
BEGIN RETURN QUERY
    SELECT t.id, t.kind, t.org, t.project, t.person, t.scope, t.name, t.expires, t.last_used, t.revoked,
        o.name, p.name, u.name
    FROM tokens t LEFT JOIN orgs o ON o.id = t.org LEFT JOIN projects p ON p.id = t.project
        LEFT JOIN users u ON u.id = t.person
    WHERE t.hash = asked;
END $$;
CREATE OR REPLACE FUNCTION proved_workflow(asked text) RETURNS TABLE (
    id uuid, run text, expires bigint, trust uuid, org uuid, name text, scope text, org_name text, project uuid
) STABLE SECURITY DEFINER LANGUAGE plpgsql AS $$
BEGIN RETURN QUERY
    SELECT e.id, e.run, e.expires, t.id, t.org, t.name, t.scope, o.name, p.project
    FROM exchanges e JOIN trusts t ON t.id = e.trust JOIN orgs o ON o.id = t.org
        LEFT JOIN trust_projects p ON p.trust = t.id
    WHERE e.hash = asked;
END $$;
CREATE OR REPLACE FUNCTION roles_of_person(asked uuid) RETURNS TABLE (org uuid, role text)
STABLE SECURITY DEFINER LANGUAGE plpgsql AS $$
BEGIN RETURN QUERY SELECT m.org, m.role FROM members m WHERE m.person = asked; END $$;
CREATE OR REPLACE FUNCTION audit_head() RETURNS TABLE (seq bigint, hash text) STABLE SECURITY DEFINER LANGUAGE plpgsql AS $$
BEGIN RETURN QUERY SELECT a.seq, a.hash FROM audit a ORDER BY a.seq DESC LIMIT 1; END $$;
";
