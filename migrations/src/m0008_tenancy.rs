//! PostgreSQL's own walls between tenants, behind the application's: policies for roles that do not own the tables.
//!
//! Who owns the tables (the worker, reconcile, the operators' commands) is not held by them (PostgreSQL, "Row Security Policies":
//! owners and superusers bypass them). The API's role is; see [`crate::admit`] for what it may do at all. SQLite has no roles.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// See the head of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        let connection = manager.get_connection();
        connection.execute_unprepared(SETTINGS).await?;
        for (table, rule) in RULES {
            connection.execute_unprepared(&policy(table, rule)).await?;
        }
        connection.execute_unprepared(AUDIT).await?;
        connection.execute_unprepared(PROOFS).await?;
        connection.execute_unprepared(FENCED).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        let connection = manager.get_connection();
        for table in RULES.iter().map(|(table, _)| *table) {
            let sql = format!("DROP POLICY tenants ON {table}; ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;");
            connection.execute_unprepared(&sql).await?;
        }
        connection.execute_unprepared(DOWN).await?;
        Ok(())
    }
}

/// The policy `tenants` of a table: for reading, and for what is written. One table, one rule.
pub(crate) fn policy(table: &str, rule: &str) -> String {
    let rule = rule.replace("{all}", ALL).replace("{org}", ORG).replace("{project}", PROJECT);
    format!(
        "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; CREATE POLICY tenants ON {table} USING ({rule}) WITH CHECK ({rule});"
    )
}

/// In a subquery a setting is read once a statement, and not once a row.
const ALL: &str = "(SELECT tenant_is_all())";
/// Of an organization that is seen as a whole.
const ORG: &str = "(org = ANY ((SELECT tenant_orgs())::uuid[]) AND (SELECT tenant_projects()) IS NULL)";
/// Of a project that is seen.
const PROJECT: &str = "(org = ANY ((SELECT tenant_orgs())::uuid[]) AND \
     ((SELECT tenant_projects()) IS NULL OR project = ANY ((SELECT tenant_projects())::uuid[])))";

/// What a transaction says of itself: `provisioner.orgs` is `*`, or an array of ids; `provisioner.projects` an array of ids, or empty
/// for all of those organizations; `provisioner.person` an id, or empty. Where nothing is said nothing is seen.
const SETTINGS: &str = "
CREATE FUNCTION tenant_is_all() RETURNS boolean STABLE LANGUAGE sql AS
$$ SELECT coalesce(current_setting('provisioner.orgs', true), '') = '*' $$;
CREATE FUNCTION tenant_orgs() RETURNS uuid[] STABLE LANGUAGE sql AS
$$ SELECT CASE WHEN current_setting('provisioner.orgs', true) LIKE '{%' THEN current_setting('provisioner.orgs')::uuid[] END $$;
CREATE FUNCTION tenant_projects() RETURNS uuid[] STABLE LANGUAGE sql AS
$$ SELECT CASE WHEN current_setting('provisioner.projects', true) LIKE '{%' THEN current_setting('provisioner.projects')::uuid[] END $$;
CREATE FUNCTION tenant_person() RETURNS uuid STABLE LANGUAGE sql AS
$$ SELECT nullif(current_setting('provisioner.person', true), '')::uuid $$;
";

/// A project's token sees the row of its organization, and nothing else that is the organization's own.
const RULES: &[(&str, &str)] = &[
    ("orgs", "{all} OR id = ANY ((SELECT tenant_orgs())::uuid[])"),
    (
        "projects",
        "{all} OR (org = ANY ((SELECT tenant_orgs())::uuid[]) AND \
         ((SELECT tenant_projects()) IS NULL OR id = ANY ((SELECT tenant_projects())::uuid[])))",
    ),
    ("resources", "{all} OR {project}"),
    ("jobs", "{all} OR {project}"),
    ("job_history", "{all} OR {project}"),
    ("events", "{all} OR {project}"),
    (
        "job_facts",
        "{all} OR EXISTS (SELECT 1 FROM jobs j WHERE j.id = job) OR EXISTS (SELECT 1 FROM job_history h WHERE h.id = job)",
    ),
    ("builder_uses", "{all} OR EXISTS (SELECT 1 FROM projects p WHERE p.id = project)"),
    ("holds", "{all} OR EXISTS (SELECT 1 FROM projects p WHERE p.id = project)"),
    ("members", "{all} OR {org}"),
    ("tokens", "{all} OR {org} OR person = (SELECT tenant_person())"),
    ("trusts", "{all} OR {org}"),
    ("trust_projects", "{all} OR {org}"),
    ("exchanges", "{all} OR EXISTS (SELECT 1 FROM trusts t WHERE t.id = trust)"),
];

/// An entry may be about whatever was asked for, so whoever may append may append any; who reads, reads an organization's.
const AUDIT: &str = "
ALTER TABLE audit ENABLE ROW LEVEL SECURITY;
CREATE POLICY appended ON audit FOR INSERT WITH CHECK (true);
CREATE POLICY tenants ON audit FOR SELECT USING ((SELECT tenant_is_all()) OR
    (org = ANY ((SELECT tenant_orgs())::uuid[]) AND (SELECT tenant_projects()) IS NULL));
";

/// What has to be known before it is known whose the request is: each looks up one row by what its asker alone can know.
pub(crate) const PROOFS: &str = "
CREATE FUNCTION proved_token(asked text) RETURNS TABLE (
    id uuid, kind text, org uuid, project uuid, person uuid, scope text, name text, expires bigint, last_used bigint,
    revoked bigint, org_name text, project_name text, user_name text
) STABLE SECURITY DEFINER LANGUAGE sql AS $$
    SELECT t.id, t.kind, t.org, t.project, t.person, t.scope, t.name, t.expires, t.last_used, t.revoked,
        o.name, p.name, u.name
    FROM tokens t LEFT JOIN orgs o ON o.id = t.org LEFT JOIN projects p ON p.id = t.project
        LEFT JOIN users u ON u.id = t.person
    WHERE t.hash = asked
$$;
CREATE FUNCTION proved_workflow(asked text) RETURNS TABLE (
    id uuid, run text, expires bigint, trust uuid, org uuid, name text, scope text, org_name text, project uuid
) STABLE SECURITY DEFINER LANGUAGE sql AS $$
    SELECT e.id, e.run, e.expires, t.id, t.org, t.name, t.scope, o.name, p.project
    FROM exchanges e JOIN trusts t ON t.id = e.trust JOIN orgs o ON o.id = t.org
        LEFT JOIN trust_projects p ON p.trust = t.id
    WHERE e.hash = asked
$$;
CREATE FUNCTION roles_of_person(asked uuid) RETURNS TABLE (org uuid, role text)
STABLE SECURITY DEFINER LANGUAGE sql AS $$ SELECT m.org, m.role FROM members m WHERE m.person = asked $$;
CREATE FUNCTION note_token_use(asked uuid, used bigint, unless_after bigint) RETURNS void
SECURITY DEFINER LANGUAGE sql AS $$
    UPDATE tokens SET last_used = used WHERE id = asked AND (last_used IS NULL OR last_used <= unless_after)
$$;
CREATE FUNCTION audit_head() RETURNS TABLE (seq bigint, hash text) STABLE SECURITY DEFINER LANGUAGE sql AS
$$ SELECT a.seq, a.hash FROM audit a ORDER BY a.seq DESC LIMIT 1 $$;
";

/// Nobody but who is let in calls them, and they see these tables and no others of the same names (PostgreSQL, CREATE FUNCTION,
/// \"Writing SECURITY DEFINER Functions Safely\").
pub(crate) const FENCED: &str = "
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['proved_token(text)', 'proved_workflow(text)', 'roles_of_person(uuid)',
        'note_token_use(uuid, bigint, bigint)', 'audit_head()'] LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', name);
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', name, current_schema());
    END LOOP;
END
$$;
";

const DOWN: &str = "
DROP POLICY tenants ON audit; DROP POLICY appended ON audit; ALTER TABLE audit DISABLE ROW LEVEL SECURITY;
DROP FUNCTION audit_head(); DROP FUNCTION note_token_use(uuid, bigint, bigint); DROP FUNCTION roles_of_person(uuid);
DROP FUNCTION proved_workflow(text); DROP FUNCTION proved_token(text);
DROP FUNCTION tenant_person(); DROP FUNCTION tenant_projects(); DROP FUNCTION tenant_orgs(); DROP FUNCTION tenant_is_all();
";
