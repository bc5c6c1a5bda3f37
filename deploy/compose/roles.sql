-- Run once, when docker-compose.yml's database is made: who owns the tables, and who the API is. Neither is a superuser.
-- The passwords come from the environment; psql 15 or newer reads them.
\set ON_ERROR_STOP on
\getenv owner_password PROVISIONER_OWNER_PASSWORD
\getenv api_password PROVISIONER_API_PASSWORD
CREATE ROLE provisioner LOGIN PASSWORD :'owner_password';
CREATE ROLE provisioner_api LOGIN PASSWORD :'api_password';
REVOKE ALL ON DATABASE provisioner FROM PUBLIC;
GRANT CONNECT ON DATABASE provisioner TO provisioner_api;
ALTER DATABASE provisioner OWNER TO provisioner;
