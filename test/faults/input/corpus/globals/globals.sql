--
-- PostgreSQL database cluster dump
--

\restrict 0n08ELiyEqpIxMr6NhBAFuZ98n7gd2KctfxqeGA8xoxj6wePl4amZJrPL78iuBH

SET default_transaction_read_only = off;

SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;

--
-- Roles
--

CREATE ROLE "o'clock";
ALTER ROLE "o'clock" WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS;
CREATE ROLE postgres;
ALTER ROLE postgres WITH SUPERUSER INHERIT CREATEROLE CREATEDB LOGIN REPLICATION BYPASSRLS PASSWORD 'SCRAM-SHA-256$4096:e0mmyw252nXw4hWIQy/pRw==$3K1V0eTUaSPrgELnMPnTh0W6T42Q6TlyTxtmmShxgR0=:GlES0uBSt84pnC84+6nBFu3eETfPIgQYVf1Dz9+2ZV8=';

--
-- User Configurations
--








\unrestrict 0n08ELiyEqpIxMr6NhBAFuZ98n7gd2KctfxqeGA8xoxj6wePl4amZJrPL78iuBH

--
-- PostgreSQL database cluster dump complete
--

