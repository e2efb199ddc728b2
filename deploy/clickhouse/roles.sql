-- Who may do what in a ClickHouse of your own. Run it as an administrator when
-- `aftershock sink clickhouse` has made its tables, and again after an upgrade:
--
--     clickhouse-client --multiquery < deploy/clickhouse/roles.sql
--
-- Then give people and programs one of the roles: CREATE USER jane IDENTIFIED BY '…';
-- GRANT analyst_public TO jane; SET DEFAULT ROLE analyst_public TO jane.

-- The views read as a user that nobody is, so that who asks them needs no grant on
-- the tables, which also hold versions that are not seen.
CREATE USER IF NOT EXISTS aftershock_views IDENTIFIED WITH no_password HOST NONE;
GRANT SELECT ON aftershock.crash_rows TO aftershock_views;
GRANT SELECT ON aftershock.ping_rows TO aftershock_views;
GRANT SELECT ON aftershock.activation TO aftershock_views;
GRANT SELECT ON aftershock.days TO aftershock_views;
GRANT SELECT ON aftershock.signature_words TO aftershock_views;
GRANT SELECT ON aftershock.signature_names TO aftershock_views;
GRANT SELECT ON aftershock.crashes TO aftershock_views;
GRANT SELECT ON aftershock.lineage TO aftershock_views;
GRANT SELECT ON aftershock.signature_lineage TO aftershock_views;
GRANT SELECT ON aftershock.deferred_rows TO aftershock_views;
GRANT SELECT ON aftershock.signatures TO aftershock_views;
GRANT SELECT ON aftershock.ping_signatures TO aftershock_views;
GRANT SELECT ON aftershock.signature_bugs TO aftershock_views;
GRANT SELECT ON aftershock_protected.crash_rows TO aftershock_views;
GRANT SELECT ON aftershock_protected.ping_rows TO aftershock_views;
ALTER TABLE aftershock.crashes MODIFY SQL SECURITY DEFINER DEFINER = aftershock_views;
ALTER TABLE aftershock.pings MODIFY SQL SECURITY DEFINER DEFINER = aftershock_views;
ALTER TABLE aftershock.crash_by_id MODIFY SQL SECURITY DEFINER DEFINER = aftershock_views;
ALTER TABLE aftershock.ping_by_id MODIFY SQL SECURITY DEFINER DEFINER = aftershock_views;
ALTER TABLE aftershock.signature_names MODIFY SQL SECURITY DEFINER DEFINER = aftershock_views;
ALTER TABLE aftershock.signature_first_seen MODIFY SQL SECURITY DEFINER DEFINER = aftershock_views;
ALTER TABLE aftershock.missing_symbols MODIFY SQL SECURITY DEFINER DEFINER = aftershock_views;
ALTER TABLE aftershock.deferred MODIFY SQL SECURITY DEFINER DEFINER = aftershock_views;
ALTER TABLE aftershock.bugs MODIFY SQL SECURITY DEFINER DEFINER = aftershock_views;
ALTER TABLE aftershock.lineage MODIFY SQL SECURITY DEFINER DEFINER = aftershock_views;
ALTER TABLE aftershock_protected.crashes MODIFY SQL SECURITY DEFINER DEFINER = aftershock_views;
ALTER TABLE aftershock_protected.pings MODIFY SQL SECURITY DEFINER DEFINER = aftershock_views;
ALTER TABLE aftershock_protected.crash_by_id MODIFY SQL SECURITY DEFINER DEFINER = aftershock_views;
ALTER TABLE aftershock_protected.ping_by_id MODIFY SQL SECURITY DEFINER DEFINER = aftershock_views;

-- What is public and seen, and nothing else.
CREATE ROLE IF NOT EXISTS analyst_public;
GRANT SELECT ON aftershock.crashes TO analyst_public;
GRANT SELECT ON aftershock.pings TO analyst_public;
GRANT SELECT ON aftershock.crash_by_id TO analyst_public;
GRANT SELECT ON aftershock.ping_by_id TO analyst_public;
GRANT SELECT ON aftershock.lineage TO analyst_public;
GRANT SELECT ON aftershock.signature_names TO analyst_public;
GRANT SELECT ON aftershock.signature_first_seen TO analyst_public;
GRANT SELECT ON aftershock.missing_symbols TO analyst_public;
GRANT SELECT ON aftershock.deferred TO analyst_public;
GRANT SELECT ON aftershock.bugs TO analyst_public;
GRANT SELECT ON aftershock.sessions TO analyst_public;

-- And what is protected.
CREATE ROLE IF NOT EXISTS analyst_protected;
GRANT analyst_public TO analyst_protected;
GRANT SELECT ON aftershock_protected.crashes TO analyst_protected;
GRANT SELECT ON aftershock_protected.pings TO analyst_protected;
GRANT SELECT ON aftershock_protected.crash_by_id TO analyst_protected;
GRANT SELECT ON aftershock_protected.ping_by_id TO analyst_protected;

-- Readers only read, and no query takes the server for itself.
CREATE SETTINGS PROFILE IF NOT EXISTS analyst
    SETTINGS readonly = 2 CONST, max_memory_usage = 2000000000 MAX 4000000000, max_execution_time = 60 MAX 300,
        max_temporary_data_on_disk_size_for_query = 4000000000 MAX 20000000000, max_concurrent_queries_for_user = 10,
        allow_introspection_functions = 0 CONST, log_queries = 1 CONST
    TO analyst_public, analyst_protected;

-- Also who is granted a table by mistake sees none of its rows: the views read as
-- somebody else.
CREATE ROW POLICY IF NOT EXISTS analysts ON aftershock.crash_rows AS RESTRICTIVE FOR SELECT USING 0 TO analyst_public, analyst_protected;
CREATE ROW POLICY IF NOT EXISTS analysts ON aftershock.ping_rows AS RESTRICTIVE FOR SELECT USING 0 TO analyst_public, analyst_protected;
CREATE ROW POLICY IF NOT EXISTS analysts ON aftershock_protected.crash_rows AS RESTRICTIVE FOR SELECT USING 0 TO analyst_public, analyst_protected;
CREATE ROW POLICY IF NOT EXISTS analysts ON aftershock_protected.ping_rows AS RESTRICTIVE FOR SELECT USING 0 TO analyst_public, analyst_protected;

-- Operators: verify, replay plan, diff, status.
CREATE ROLE IF NOT EXISTS operator;
GRANT SELECT ON aftershock.* TO operator;
GRANT SELECT ON aftershock_protected.* TO operator;

-- The sink, and replay promote, rollback and drop. CREATE and the views' definer are
-- for migrations, ALTER DELETE for drop.
-- Who loads bugs from the pages (aftershock web --bugs-url), and nothing else.
CREATE ROLE IF NOT EXISTS bugs;
GRANT SELECT, INSERT ON aftershock.signature_bugs TO bugs;
GRANT SELECT ON aftershock.bugs TO bugs;

CREATE ROLE IF NOT EXISTS writer;
GRANT operator TO writer;
GRANT INSERT, CREATE TABLE, CREATE VIEW, CREATE DATABASE, ALTER, DROP, TRUNCATE, OPTIMIZE ON aftershock.* TO writer;
GRANT INSERT, CREATE TABLE, CREATE VIEW, CREATE DATABASE, ALTER, DROP, TRUNCATE, OPTIMIZE ON aftershock_protected.* TO writer;
