--
-- PostgreSQL database dump
--

\restrict 3wcz09AJpJJBMLBAIGqL07QP0Kx4MAYQpHGIa5xMGSOrQVCH92aXLdSadNw7XaK

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

COPY s.t (id, note) FROM stdin;
1	x1
2	x2
3	x3
4	x4
5	x5
6	x6
7	x7
8	x8
9	x9
10	x10
11	x11
12	x12
13	x13
14	x14
15	x15
16	x16
17	x17
18	x18
19	x19
20	x20
21	x21
22	x22
23	x23
24	x24
25	x25
26	x26
27	x27
28	x28
29	x29
30	x30
31	x31
32	x32
33	x33
34	x34
35	x35
36	x36
37	x37
38	x38
39	x39
40	x40
41	x41
42	x42
43	x43
44	x44
45	x45
46	x46
47	x47
48	x48
49	x49
50	x50
\.


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

\unrestrict 3wcz09AJpJJBMLBAIGqL07QP0Kx4MAYQpHGIa5xMGSOrQVCH92aXLdSadNw7XaK

