-- Every kind of object that pg_dump knows, under names that try to be something else.
create role "owner ""of"" all";
create role "-x";
create role "Röle; drop role x";
create role limited;

create extension hstore;
create schema "extension schema";
create extension pg_trgm schema "extension schema";
create extension btree_gist;
create extension postgres_fdw;
create extension file_fdw;
comment on extension hstore is 'key and value; "quoted"';

create schema kinds authorization "owner ""of"" all";
create schema "-x";
create schema "$(id)";
create schema "ünïcödé 𝄞";
create schema "new
line	tab";
comment on schema "-x" is E'an option\nin two lines\\ with a backslash';
grant usage, create on schema kinds to limited with grant option;
grant usage on schema "$(id)" to public;
revoke all on schema public from public;

-- Types.
create domain kinds.positive as integer default 1 not null constraint "> 0" check (value > 0);
create domain kinds."Postal Code" as text collate "C" check (value ~ '^\d{5}$') check (length(value) = 5);
comment on domain kinds.positive is 'a domain';
comment on constraint "> 0" on domain kinds.positive is 'its check';
create type kinds.mood as enum ('sad', 'it''s so so', '"happy"', '');
create type kinds.point3 as (x double precision, y double precision, "Z; drop" kinds.positive);
comment on type kinds.point3 is 'a composite';
comment on column kinds.point3."Z; drop" is 'its column';
create function kinds.distance(double precision, double precision) returns double precision immutable strict language sql as 'select $1 - $2';
create type kinds.span as range (subtype = double precision, subtype_diff = kinds.distance, multirange_type_name = kinds.spans);
create type kinds.textual as range (subtype = text, collation = "C");
create type kinds.undefined;
create type kinds.money_like;
create function kinds.money_in(cstring) returns kinds.money_like immutable strict language internal as 'int4in';
create function kinds.money_out(kinds.money_like) returns cstring immutable strict language internal as 'int4out';
create type kinds.money_like (input = kinds.money_in, output = kinds.money_out, like = integer, category = 'N');
alter type kinds.mood owner to "owner ""of"" all";
grant usage on type kinds.mood to limited;
revoke usage on type kinds.positive from public;

-- Collations and conversions.
create collation kinds.german (provider = icu, locale = 'de-u-co-phonebk');
create collation kinds.insensitive (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
create collation kinds.plain from "C";
comment on collation kinds.german is 'phone book';
create conversion kinds.latin for 'UTF8' to 'LATIN1' from utf8_to_iso8859_1;
create default conversion kinds."to utf" for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
comment on conversion kinds.latin is 'a conversion';

-- Routines in several languages.
create function kinds.add(a integer, b integer default 2, variadic rest integer[] default '{}') returns integer language sql immutable parallel safe cost 7 as 'select a + b + coalesce((select sum(r)::int from unnest(rest) r), 0)';
create function kinds.atomic(a integer) returns setof integer rows 3 begin atomic select case when a > 0 then a else -a end; select 1 union all select 2; end;
create function kinds.body() returns text language plpgsql security definer set search_path = kinds, "$(id)" set work_mem = '7MB' as $body$
declare
  text_ text := $$ -- no comment; \! id
'$$;
begin
  -- Name: fake; Type: TABLE; Schema: public; Owner: nobody
  /* COPY kinds.plain FROM stdin;
\.
*/
  return text_ || '$$' || E'\\ \' ;';
end $body$;
create function kinds."-x"("; drop" text, out "$(id)" text, inout "new
line" integer) language sql as 'select $1, $2';
create procedure kinds.proceed(inout a integer) language plpgsql as 'begin a := a + 1; commit; end';
create function kinds.window_rank() returns bigint language internal window immutable as 'window_rank';
create function kinds.in_c(text) returns text strict language internal stable leakproof as 'upper';
comment on function kinds.add(integer, integer, integer[]) is 'adds';
comment on procedure kinds.proceed(integer) is 'proceeds';
revoke all on function kinds.body() from public;
grant execute on function kinds.body() to limited with grant option;
alter function kinds.add(integer, integer, integer[]) owner to "owner ""of"" all";
create aggregate kinds.total(integer) (sfunc = int4pl, stype = integer, initcond = '0', combinefunc = int4pl, parallel = safe);
create aggregate kinds.percentile(double precision order by integer) (sfunc = ordered_set_transition, stype = internal, finalfunc = percentile_disc_final, finalfunc_extra);
comment on aggregate kinds.total(integer) is 'a total';
create or replace procedural language plpgsql;
create function kinds.call_handler() returns language_handler language c as '$libdir/plpgsql', 'plpgsql_call_handler';
create trusted language if_any handler kinds.call_handler;
comment on language if_any is 'a language';
create transform for hstore language if_any (from sql with function prsd_lextype(internal), to sql with function hstore_recv(internal));

create extension plperl;
create extension plperlu;
create extension plpython3u;
create extension hstore_plperl schema "extension schema";
create extension jsonb_plpython3u;
create function kinds.in_perl(text, integer[]) returns setof kinds.point3 language plperl as $perl$
  my ($name, $numbers) = @_; # $$ and \d{2}, 'quotes' and "more";
  my %h = (x => 1.5, y => scalar(@$numbers), '"Z; drop"' => 1);
  my $end = <<'END';
\.
END
  return_next({x => $_, y => 2, 'Z; drop' => 3}) for grep { $_ !~ /^\\\.$/ } @$numbers;
  return undef;
$perl$;
create function kinds."trigger in perl"() returns trigger language plperlu as 'return $_TD->{new}{a} eq "\\." ? "SKIP" : undef;';
create function kinds.in_python(a integer, b jsonb default '{"a": [1]}') returns jsonb transform for type jsonb language plpython3u as $python$
# -- Name: fake; Type: TABLE
if a > 0:
	return {"a": b, "ünï": '''$(id) "; drop''' + "\\.\n"}
return None
$python$;
create procedure kinds."proceed; in python"(inout a integer) language plpython3u as E'plpy.commit()\nreturn {"a": a + 1}';
do language plperl $$ elog(NOTICE, 'not an object') $$;
comment on function kinds.in_python(integer, jsonb) is 'in Python';
revoke all on function kinds.in_perl(text, integer[]) from public;

-- Operators and access methods.
create function kinds.same(kinds.point3, kinds.point3) returns boolean immutable language sql as 'select $1.x = $2.x and $1.y = $2.y';
create operator kinds.=== (leftarg = kinds.point3, rightarg = kinds.point3, function = kinds.same, commutator = operator(kinds.===), restrict = eqsel, join = eqjoinsel, hashes);
comment on operator kinds.=== (kinds.point3, kinds.point3) is 'equal';
create operator family kinds.family using btree;
create function kinds.compare(kinds.money_like, kinds.money_like) returns integer immutable strict language internal as 'btint4cmp';
create function kinds.less(kinds.money_like, kinds.money_like) returns boolean immutable strict language internal as 'int4lt';
create function kinds.equal(kinds.money_like, kinds.money_like) returns boolean immutable strict language internal as 'int4eq';
create operator kinds.< (leftarg = kinds.money_like, rightarg = kinds.money_like, function = kinds.less);
create operator kinds.= (leftarg = kinds.money_like, rightarg = kinds.money_like, function = kinds.equal, merges);
create operator class kinds.class default for type kinds.money_like using btree family kinds.family as operator 1 kinds.<, operator 3 kinds.=, function 1 kinds.compare(kinds.money_like, kinds.money_like);
comment on operator family kinds.family using btree is 'a family';
comment on operator class kinds.class using btree is 'a class';
create access method heap2 type table handler heap_tableam_handler;
comment on access method heap2 is 'the heap again';
create function kinds.to_text(kinds.point3) returns text immutable language sql as 'select $1.x::text';
create cast (kinds.point3 as text) with function kinds.to_text(kinds.point3) as assignment;
create cast (kinds.money_like as integer) without function as implicit;
comment on cast (kinds.point3 as text) is 'a cast';

-- Text search.
create text search dictionary kinds.simple_german (template = simple, stopwords = german, accept = false);
create text search parser kinds.parser (start = prsd_start, gettoken = prsd_nexttoken, end = prsd_end, lextypes = prsd_lextype, headline = prsd_headline);
create text search template kinds.template (init = dsimple_init, lexize = dsimple_lexize);
create text search configuration kinds."Config" (parser = kinds.parser);
alter text search configuration kinds."Config" add mapping for asciiword, word with kinds.simple_german, simple;
comment on text search dictionary kinds.simple_german is 'a dictionary';
comment on text search configuration kinds."Config" is 'a configuration';
comment on text search parser kinds.parser is 'a parser';
comment on text search template kinds.template is 'a template';

-- Tables.
create sequence kinds.shared as smallint start 100 increment -3 minvalue -50 maxvalue 100 cache 5 cycle;
create sequence kinds."Seq; drop" start 7;
comment on sequence kinds.shared is 'a sequence';
create table kinds.types (
  id bigint generated by default as identity (start 10 increment 5) primary key,
  always integer generated always as identity,
  mood kinds.mood default 'it''s so so',
  moods kinds.mood[] default '{sad,""}',
  place kinds.point3,
  places kinds.point3[],
  amount kinds.positive,
  code kinds."Postal Code",
  span kinds.span, spans kinds.spans, days daterange, times tstzmultirange,
  document jsonb, raw json, binary_ bytea, bits bit varying(9), word tsvector, query tsquery,
  pairs hstore, price kinds.money_like, cents money, number numeric(20, 5), real_ real, exact double precision,
  address inet, net cidr, mac macaddr8, shape polygon, xml_ xml, moment timestamptz(3), took interval day to second, uuid_ uuid,
  doubled integer generated always as (amount * 2) stored,
  folded text collate kinds.insensitive,
  dropped integer,
  "UPPER and lower" char(5) not null default 'x',
  lsn pg_lsn, oid_ regclass, matrix integer[3][2]
);
alter table kinds.types drop column dropped;
alter table kinds.types add column late text default 'late' not null;
alter table kinds.types alter column document set storage external, alter column raw set statistics 17, alter column exact set (n_distinct = -0.5);
alter table kinds.types alter column late set compression pglz;
alter table kinds.types owner to "owner ""of"" all";
insert into kinds.types (mood, place, places, amount, code, span, spans, days, times, document, raw, binary_, bits, word, query, pairs, price, cents, number, real_, exact, address, net, mac, shape, xml_, moment, took, uuid_, folded, lsn, oid_, matrix)
select 'sad', row(n, -n / 3.0, 3)::kinds.point3, array[row(1, 2, 3)::kinds.point3, null]::kinds.point3[], n, lpad(n::text, 5, '0'),
  kinds.span(n, n + 0.1, '[]'), kinds.spans(kinds.span(n, n + 1), kinds.span(n + 5, n + 6)), daterange('2026-01-01', null), '{[2026-01-01 00:00+00, infinity)}',
  jsonb_build_object('n', n, 'text', E'a"b\\c\n\t\u00fc', 'deep', jsonb_build_array(null, true, 1e-7)), '{"a" :  1, "a": 2}', decode(md5(n::text), 'hex') || '\x005c0a0d'::bytea,
  '10101', to_tsvector('simple', 'the quick "brown" fox'), 'a & !b | c:*', 'a=>1, "b c"=>NULL', '7', 12.34, 'NaN', 'infinity', 0.1::float8 + 0.2, '::1/64', '10.0.0.0/8', '08:00:2b:01:02:03:04:05',
  '((0,0),(1,1),(2,0))', '<a b="&amp;">x</a>', '2026-03-29 02:30:00.123+01', '1 day 02:03:04.5', md5(n::text)::uuid, E'ÄÖ\\N\\.\t\r\b\f\v\nnext', '16/B374D848', 'pg_class', '{{1,2},{3,4},{5,6}}'
from generate_series(1, 40) n;
insert into kinds.types (mood) values (null), ('');
create table kinds.lines (id integer, line text);
insert into kinds.lines values (1, '\.'), (2, E'\\.'), (3, '-- Name: x; Type: TABLE; Schema: public; Owner: x'), (4, '\! touch /nowhere'), (5, ''), (6, null), (7, '\N'), (8, E'COPY kinds.lines FROM stdin;\n\\.\n'), (9, '$(id) `id` ; drop table x; --');
create table kinds.empty ();
insert into kinds.empty default values;
create unlogged table kinds.fleeting (a int primary key) with (fillfactor = 70, autovacuum_enabled = false);
insert into kinds.fleeting values (1), (2);
create table kinds.of_type of kinds.point3 (primary key (x));
create table kinds.other_heap (a int) using heap2;
create table kinds."-x" ("-x" int, "--" int, "; drop table x" int, "$(id)" text, "a
b	c" text, "ünï" text, "select" int, "a""b" int, "a\b'c" int, "." int, primary key ("-x", "--"));
insert into kinds."-x" values (1, 2, 3, '$(id)', E'\n', 'ü', 4, 5, 6, 7);
create table "$(id)"."""; drop table kinds.lines; --" ("%s" int unique deferrable initially deferred);
create table "new
line	tab"."new
line	tab" ("new
line	tab" int constraint "new
constraint" check ("new
line	tab" > 0));
insert into "new
line	tab"."new
line	tab" values (1);
create table "ünïcödé 𝄞"."日本語" ("列" text);
insert into "ünïcödé 𝄞"."日本語" values ('値'), ('𝄞');
create table "-x"."-x.x" (a int);
comment on table kinds."-x" is '';
comment on table kinds.lines is E'rows that \\ look like ''ends''\n-- Name: fake; Type: TABLE';
comment on column kinds."-x"."--" is 'a comment';

-- Inheritance and partitions.
create table kinds.base (id serial primary key, note text not null check (note <> ''), n int default 3);
create table kinds.derived (extra int, note text default 'own') inherits (kinds.base);
create table kinds.twice (more int) inherits (kinds.derived, kinds.empty);
alter table kinds.derived alter n set default 4, add check (n > 0) no inherit;
insert into kinds.base (note) values ('base'); insert into kinds.derived (note, extra) values ('derived', 1); insert into kinds.twice values (8, 'twice');
create table kinds.events (id bigint generated always as identity, at timestamptz not null, place text not null, n int, primary key (at, place)) partition by range (at);
create table kinds.events_2025 partition of kinds.events for values from ('2025-01-01 00:00+00') to ('2026-01-01 00:00+00') partition by list (place);
create table kinds.events_2025_ab partition of kinds.events_2025 for values in ('a', 'b') partition by hash (place);
create table kinds.events_2025_ab_0 partition of kinds.events_2025_ab for values with (modulus 2, remainder 0);
create table kinds.events_2025_ab_1 partition of kinds.events_2025_ab for values with (modulus 2, remainder 1);
create table kinds.events_2025_rest partition of kinds.events_2025 default;
create table kinds.late_columns (place text not null, dropped int, n int, id bigint not null, at timestamptz not null);
alter table kinds.late_columns drop column dropped;
alter table kinds.events attach partition kinds.late_columns for values from ('2026-01-01 00:00+00') to (maxvalue);
create table kinds.events_default partition of kinds.events default;
create index events_n on kinds.events (n) include (place);
create index on only kinds.events (id);
create unique index events_2025_own on kinds.events_2025_rest (n, at);
insert into kinds.events (at, place, n) select '2024-12-30 00:00+00'::timestamptz + n * interval '5 days', substr('abc', n % 3 + 1, 1), n from generate_series(0, 199) n;
create table kinds.event_notes (at timestamptz, place text, note text, foreign key (at, place) references kinds.events on delete cascade);
insert into kinds.event_notes select at, place, 'note' from kinds.events limit 20;
create table kinds.expressions (a text, b int) partition by range (lower(a) collate "C", b);
create table kinds.expressions_1 partition of kinds.expressions for values from (minvalue, minvalue) to ('m', 5);

-- Constraints, keys in a circle, indexes, statistics.
create table kinds.hen (id int primary key, egg int);
create table kinds.egg (id int primary key, hen int references kinds.hen deferrable initially deferred);
alter table kinds.hen add constraint "laid; by" foreign key (egg) references kinds.egg match full on update set null on delete set default not valid;
begin; insert into kinds.egg values (1, 1); insert into kinds.hen values (1, 1); commit;
alter table kinds.hen add constraint unchecked check (id < 100) not valid;
comment on constraint "laid; by" on kinds.hen is 'first';
create table kinds.booking (room int, during tsrange, exclude using gist (room with =, during with &&) where (room > 0));
insert into kinds.booking values (1, '[2026-01-01, 2026-01-02)');
create table kinds.self (id int primary key, up int references kinds.self on delete set null, unique nulls not distinct (up));
insert into kinds.self values (1, null), (2, 1);
create unique index "-i" on kinds.types (lower(late) collate "C" desc nulls last, (amount + 1)) include (id) with (fillfactor = 60) where id < 0;
create index on kinds.types using gin (document jsonb_path_ops);
create index trigrams on kinds.lines using gin (line "extension schema".gin_trgm_ops);
create index on kinds.types using gist (span);
create index on kinds.types using brin (moment) with (pages_per_range = 4);
create index on kinds.types using hash (uuid_);
comment on index kinds."-i" is 'an index';
alter index kinds."-i" alter column 2 set statistics 77;
alter table kinds.types cluster on types_pkey;
alter table kinds.hen replica identity using index hen_pkey;
create statistics kinds."a statistic" (ndistinct, dependencies, mcv) on amount, late from kinds.types;
create statistics kinds.expression_statistics on (amount * 2), lower(late) from kinds.types;
alter statistics kinds."a statistic" set statistics 55;
comment on statistics kinds."a statistic" is 'statistics';

-- Views, rules, triggers, policies.
create view kinds.cheap with (security_barrier, security_invoker) as select id, amount from kinds.types where amount < 10 with local check option;
create view kinds.cascaded as select * from kinds.cheap where id > 0 with cascaded check option;
create recursive view public.chain (n) as select 1 union all select n + 1 from chain where n < 5;
create view kinds.grouped as select id, note, n from kinds.base group by id;
create view kinds.slices as select matrix[1:2] as part, (place).x, mood = any (moods) as is_in from kinds.types;
alter view kinds.cheap alter column amount set default 5;
comment on view kinds.cheap is 'a view';
comment on column kinds.cheap.amount is 'its column';
create materialized view kinds.summed as select place, count(*) as events from kinds.events group by place;
create unique index on kinds.summed (place);
create materialized view kinds.unfilled as select 1 as a with no data;
create materialized view kinds.on_top with (fillfactor = 80) as select sum(events) as total from kinds.summed;
comment on materialized view kinds.summed is 'materialized';
create rule "no; insert" as on insert to kinds.cascaded where new.amount = 1 do instead (select 1; update kinds.lines set id = id where line = '; x');
create rule heard as on delete to kinds.empty do also notify "some; thing";
create rule quiet as on delete to kinds.lines where old.id < 0 do also nothing;
comment on rule quiet on kinds.lines is 'a rule';
create function kinds.touch() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger "touch; it" before insert or update of line on kinds.lines for each row when (new.id > 0) execute function kinds.touch('a', E'b\\c', '; drop');
create trigger old_and_new after update on kinds.lines referencing old table as before_ new table as "After" for each statement execute function kinds.touch();
create constraint trigger late after insert on kinds.lines deferrable initially deferred for each row execute function kinds.touch();
create trigger instead_of instead of delete on kinds.cascaded for each row execute function kinds.touch();
create trigger on_partitioned after insert on kinds.events for each row execute function kinds.touch();
alter table kinds.lines disable trigger old_and_new, enable always trigger "touch; it", enable replica trigger late;
alter table kinds.events_default disable trigger on_partitioned;
comment on trigger "touch; it" on kinds.lines is 'a trigger';
create function kinds.on_ddl() returns event_trigger language plpgsql as $$ begin end $$;
create event trigger watch_ddl on ddl_command_end when tag in ('CREATE TABLE', 'DROP TABLE') execute function kinds.on_ddl();
create event trigger sleeping on sql_drop execute function kinds.on_ddl();
alter event trigger sleeping disable;
comment on event trigger watch_ddl is 'an event trigger';
alter table kinds.lines enable row level security, force row level security;
create policy "see; all" on kinds.lines as restrictive for select to limited, "-x" using (id > 0);
create policy "change" on kinds.lines for update using (true) with check (line <> '');
comment on policy "change" on kinds.lines is 'a policy';
create table kinds.locked (a int);
alter table kinds.locked enable row level security;

-- Foreign data.
create foreign data wrapper dummy options (debug 'true; "x"');
create server remote type 'other' version '1.2' foreign data wrapper postgres_fdw options (host '127.0.0.1', dbname 'a''b');
create server "files; drop" foreign data wrapper file_fdw;
create user mapping for limited server remote options (user 'u', password 'p''\"');
create user mapping for public server remote;
create foreign table kinds.far (id int options (column_name 'ID') not null, note text collate "C" default 'x') server remote options (schema_name 'a.b', table_name '$(id)');
create foreign table kinds."file" (line text) server "files; drop" options (filename '/etc/hostname', format 'text');
create table kinds.mixed (id int, note text) partition by range (id);
create foreign table kinds.mixed_far partition of kinds.mixed for values from (1) to (9) server remote;
comment on foreign data wrapper dummy is 'a wrapper';
comment on server remote is 'a server';
comment on foreign table kinds.far is 'a foreign table';
grant usage on foreign server remote to limited;
grant usage on foreign data wrapper dummy to limited with grant option;

-- Publications and subscriptions.
create publication everything for all tables with (publish = 'insert, truncate');
create publication "some; of it" for table kinds.hen, tables in schema "-x" with (publish_via_partition_root);
create publication filtered for table kinds.lines where (id > 5), kinds.types (id, mood);
comment on publication everything is 'a publication';
create subscription "sub; scribe" connection 'host=127.0.0.1 dbname=''a b'' password=x' publication "p; q", r with (connect = false, slot_name = none, streaming, binary, synchronous_commit = off, two_phase);
comment on subscription "sub; scribe" is 'a subscription';

-- Grants.
grant select, insert (id, mood), update (late) on kinds.types to limited, "-x" with grant option;
grant all on kinds."-x" to "Röle; drop role x";
grant select on kinds.lines to public;
grant usage, select on sequence kinds.shared to limited;
grant select on kinds.cheap to limited;
revoke select on kinds.base from postgres;
grant usage on language if_any to limited;
alter default privileges grant select on tables to limited;
alter default privileges for role "owner ""of"" all" in schema kinds grant execute on functions to "-x" with grant option;
alter default privileges for role limited revoke usage on types from public;
alter default privileges in schema "-x" grant usage on sequences to public;

-- Security labels, of everything that may have one and is a part of a database's dump.
security label for dummy on schema "$(id)" is 'unclassified';
security label for dummy on table kinds."-x" is E'it''s "se\\cret"\n-- Name: fake; Type: TABLE';
security label for dummy on column kinds."-x"."; drop table x" is '$(id); \! id';
security label for dummy on view kinds.cheap is 'of a view';
security label for dummy on column kinds.cheap.id is 'of a column of a view';
security label for dummy on materialized view kinds.summed is 'of a materialized view';
security label for dummy on sequence kinds."Seq; drop" is 'of a sequence';
security label for dummy on foreign table kinds.far is 'of a foreign table';
security label for dummy on domain kinds.positive is 'of a domain';
security label for dummy on type kinds.mood is 'of a type';
security label for dummy on type kinds.point3 is 'of a composite';
security label for dummy on function kinds.in_perl(text, integer[]) is 'of a function';
security label for dummy on procedure kinds.proceed(integer) is 'of a procedure';
security label for dummy on aggregate kinds.total(integer) is 'of an aggregate';
security label for dummy on language if_any is 'of a language';
security label for dummy on event trigger watch_ddl is 'of an event trigger';
security label for dummy on publication filtered is 'of a publication';
security label for dummy on subscription "sub; scribe" is 'of a subscription';
-- Large objects.
select lo_from_bytea(9001, 'small');
select lo_from_bytea(9002, decode(repeat('00ff5c0a', 20000), 'hex'));
select lo_create(9003);
comment on large object 9001 is 'it''s large';
alter large object 9002 owner to limited;
grant select, update on large object 9001 to limited, "-x";
security label for dummy on large object 9001 is 'of a large object';

select nextval('kinds.shared'), nextval('kinds.shared'), setval('kinds."Seq; drop"', 42, false);
refresh materialized view kinds.on_top;
analyze kinds.types, kinds.events;
