--
-- PostgreSQL database dump
--

\restrict 59CmkffcMaSpuyIrOshow5baXyX2otGNjaj9GfKmRi9lcCNYG4xku79QKJlmCRE

-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: s; Type: SCHEMA; Schema: -; Owner: postgres
--

CREATE SCHEMA s;


ALTER SCHEMA s OWNER TO postgres;

--
-- Name: f(integer, text); Type: FUNCTION; Schema: s; Owner: postgres
--

CREATE FUNCTION s.f(a integer, b text) RETURNS integer
    LANGUAGE sql
    AS $$ select a $$;


ALTER FUNCTION s.f(a integer, b text) OWNER TO postgres;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: t; Type: TABLE; Schema: s; Owner: postgres
--

CREATE TABLE s.t (
    id integer NOT NULL,
    note text DEFAULT 'it''s'::text
);


ALTER TABLE s.t OWNER TO postgres;

--
-- Name: TABLE t; Type: COMMENT; Schema: s; Owner: postgres
--

COMMENT ON TABLE s.t IS 'a; comment -- here';


--
-- Name: V w; Type: VIEW; Schema: s; Owner: postgres
--

CREATE VIEW s."V w" AS
 SELECT t.id,
    t.note
   FROM s.t;


ALTER TABLE s."V w" OWNER TO postgres;

--
-- Data for Name: t; Type: TABLE DATA; Schema: s; Owner: postgres
--

INSERT INTO s.t VALUES (1, 'x1');
INSERT INTO s.t VALUES (2, 'x2');
INSERT INTO s.t VALUES (3, 'x3');
INSERT INTO s.t VALUES (4, 'x4');
INSERT INTO s.t VALUES (5, 'x5');
INSERT INTO s.t VALUES (6, 'x6');
INSERT INTO s.t VALUES (7, 'x7');
INSERT INTO s.t VALUES (8, 'x8');
INSERT INTO s.t VALUES (9, 'x9');
INSERT INTO s.t VALUES (10, 'x10');
INSERT INTO s.t VALUES (11, 'x11');
INSERT INTO s.t VALUES (12, 'x12');
INSERT INTO s.t VALUES (13, 'x13');
INSERT INTO s.t VALUES (14, 'x14');
INSERT INTO s.t VALUES (15, 'x15');
INSERT INTO s.t VALUES (16, 'x16');
INSERT INTO s.t VALUES (17, 'x17');
INSERT INTO s.t VALUES (18, 'x18');
INSERT INTO s.t VALUES (19, 'x19');
INSERT INTO s.t VALUES (20, 'x20');
INSERT INTO s.t VALUES (21, 'x21');
INSERT INTO s.t VALUES (22, 'x22');
INSERT INTO s.t VALUES (23, 'x23');
INSERT INTO s.t VALUES (24, 'x24');
INSERT INTO s.t VALUES (25, 'x25');
INSERT INTO s.t VALUES (26, 'x26');
INSERT INTO s.t VALUES (27, 'x27');
INSERT INTO s.t VALUES (28, 'x28');
INSERT INTO s.t VALUES (29, 'x29');
INSERT INTO s.t VALUES (30, 'x30');
INSERT INTO s.t VALUES (31, 'x31');
INSERT INTO s.t VALUES (32, 'x32');
INSERT INTO s.t VALUES (33, 'x33');
INSERT INTO s.t VALUES (34, 'x34');
INSERT INTO s.t VALUES (35, 'x35');
INSERT INTO s.t VALUES (36, 'x36');
INSERT INTO s.t VALUES (37, 'x37');
INSERT INTO s.t VALUES (38, 'x38');
INSERT INTO s.t VALUES (39, 'x39');
INSERT INTO s.t VALUES (40, 'x40');
INSERT INTO s.t VALUES (41, 'x41');
INSERT INTO s.t VALUES (42, 'x42');
INSERT INTO s.t VALUES (43, 'x43');
INSERT INTO s.t VALUES (44, 'x44');
INSERT INTO s.t VALUES (45, 'x45');
INSERT INTO s.t VALUES (46, 'x46');
INSERT INTO s.t VALUES (47, 'x47');
INSERT INTO s.t VALUES (48, 'x48');
INSERT INTO s.t VALUES (49, 'x49');
INSERT INTO s.t VALUES (50, 'x50');


--
-- Name: t t_pkey; Type: CONSTRAINT; Schema: s; Owner: postgres
--

ALTER TABLE ONLY s.t
    ADD CONSTRAINT t_pkey PRIMARY KEY (id);


--
-- Name: t_note_idx; Type: INDEX; Schema: s; Owner: postgres
--

CREATE INDEX t_note_idx ON s.t USING btree (note);


--
-- Name: TABLE t; Type: ACL; Schema: s; Owner: postgres
--

GRANT SELECT ON TABLE s.t TO "o'clock";


--
-- PostgreSQL database dump complete
--

\unrestrict 59CmkffcMaSpuyIrOshow5baXyX2otGNjaj9GfKmRi9lcCNYG4xku79QKJlmCRE

