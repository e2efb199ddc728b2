-- Who may do what in a ClickHouse of your own. Run it as an administrator when
-- `aftershock sink clickhouse` has made its tables, and again after an upgrade:
--
--     clickhouse-client --multiquery < deploy/clickhouse/access.sql
--
-- Then give people and programs one of the roles: CREATE USER jane IDENTIFIED BY '…';
-- GRANT aftershock_public TO jane; SET DEFAULT ROLE aftershock_public TO jane.

-- The views read as a user that nobody is, so that who asks them needs no grant on
-- the tables, which also hold versions that are not seen.
CREATE USER IF NOT EXISTS aftershock_views IDENTIFIED WITH no_password HOST NONE;
GRANT SELECT ON aftershock.crash_rows TO aftershock_views;
GRANT SELECT ON aftershock.ping_rows TO aftershock_views;
GRANT SELECT ON aftershock.activation TO aftershock_views;
GRANT SELECT ON aftershock.signature_lineage TO aftershock_views;
GRANT SELECT ON aftershock.deferred_rows TO aftershock_views;
GRANT SELECT ON aftershock.signatures TO aftershock_views;
GRANT SELECT ON aftershock.ping_signatures TO aftershock_views;
GRANT SELECT ON aftershock_protected.crash_rows TO aftershock_views;
GRANT SELECT ON aftershock_protected.ping_rows TO aftershock_views;
ALTER TABLE aftershock.crashes MODIFY SQL SECURITY DEFINER DEFINER = aftershock_views;
ALTER TABLE aftershock.pings MODIFY SQL SECURITY DEFINER DEFINER = aftershock_views;
ALTER TABLE aftershock.deferred MODIFY SQL SECURITY DEFINER DEFINER = aftershock_views;
ALTER TABLE aftershock.lineage MODIFY SQL SECURITY DEFINER DEFINER = aftershock_views;
ALTER TABLE aftershock_protected.crashes MODIFY SQL SECURITY DEFINER DEFINER = aftershock_views;
ALTER TABLE aftershock_protected.pings MODIFY SQL SECURITY DEFINER DEFINER = aftershock_views;

-- What is public and seen, and nothing else.
CREATE ROLE IF NOT EXISTS aftershock_public;
GRANT SELECT ON aftershock.crashes TO aftershock_public;
GRANT SELECT ON aftershock.pings TO aftershock_public;
GRANT SELECT ON aftershock.lineage TO aftershock_public;
GRANT SELECT ON aftershock.deferred TO aftershock_public;

-- And what is protected.
CREATE ROLE IF NOT EXISTS aftershock_protected;
GRANT aftershock_public TO aftershock_protected;
GRANT SELECT ON aftershock_protected.crashes TO aftershock_protected;
GRANT SELECT ON aftershock_protected.pings TO aftershock_protected;

-- Readers only read, and no query takes the server for itself.
CREATE SETTINGS PROFILE IF NOT EXISTS aftershock_reader
    SETTINGS readonly = 2 CONST, max_memory_usage = 4000000000, max_execution_time = 300
    TO aftershock_public, aftershock_protected;

-- Operators: verify, replay plan, diff, status.
CREATE ROLE IF NOT EXISTS aftershock_operator;
GRANT SELECT ON aftershock.* TO aftershock_operator;
GRANT SELECT ON aftershock_protected.* TO aftershock_operator;

-- The sink, and replay promote, rollback and drop. CREATE and the views' definer are
-- for migrations, ALTER DELETE for drop.
CREATE ROLE IF NOT EXISTS aftershock_writer;
GRANT aftershock_operator TO aftershock_writer;
GRANT INSERT, CREATE TABLE, CREATE VIEW, CREATE DATABASE, ALTER, DROP, TRUNCATE, OPTIMIZE ON aftershock.* TO aftershock_writer;
GRANT INSERT, CREATE TABLE, CREATE VIEW, CREATE DATABASE, ALTER, DROP, TRUNCATE, OPTIMIZE ON aftershock_protected.* TO aftershock_writer;
