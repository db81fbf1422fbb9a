-- Every object that hangs on a table, under names that are hard to write.
create role odd_owner;
create role "Leser; drop role x";
create schema "odd.schema";
create schema plain authorization odd_owner;
create type plain.mood as enum ('sad', 'so so', 'happy');
create domain plain.positive as integer constraint "must be > 0" check (value > 0);
create sequence plain.shared_numbers start 100;
create function plain.touch() returns trigger language plpgsql as $$ begin new.changed := 'epoch'; return new; end $$;
create function plain.twice(integer) returns integer immutable language sql as 'select $1 * 2';

create table plain.parent (
  id integer generated always as identity primary key,
  number integer not null default nextval('plain.shared_numbers'),
  mood plain.mood default 'so so',
  amount plain.positive,
  doubled integer generated always as (plain.twice(amount)) stored,
  changed timestamp,
  note text constraint "note; is short" check (length(note) < 100)
);
create table plain."parent child" (like plain.parent) inherits (plain.parent);
create table "odd.schema"."Table ""x"" = $(id)
second line" (
  "a.b" serial primary key,
  "parent id" integer references plain.parent on update cascade,
  "-x" text collate "C"
);
create table plain.measures (at date not null, place text not null, value double precision, primary key (at, place)) partition by range (at);
create table plain.measures_2025 partition of plain.measures for values from ('2025-01-01') to ('2026-01-01') partition by list (place);
create table plain.measures_2025_north partition of plain.measures_2025 for values in ('north');
create table plain.measures_2025_rest partition of plain.measures_2025 default;
create table plain.measures_2026 partition of plain.measures for values from ('2026-01-01') to ('2027-01-01');
create index measures_value on plain.measures (value);
create table plain.readings (id bigserial, at date not null, place text not null, foreign key (at, place) references plain.measures);
create table plain.lonely (id integer primary key, other integer);
alter table plain.lonely add foreign key (other) references plain.lonely;

create index "parent (mood)" on plain.parent (mood) where mood <> 'sad';
create unique index on plain.parent ((number + 1));
create statistics plain.parent_statistics on mood, amount from plain.parent;
create trigger "touch it; now" before update on plain.parent for each row execute function plain.touch();
create rule "never delete" as on delete to plain.parent where old.mood = 'happy' do instead nothing;
alter table plain.parent enable row level security;
create policy "see all" on plain.parent for select to "Leser; drop role x" using (true);
create view plain.happy as select id, note from plain.parent where mood = 'happy';
create materialized view plain.sums as select place, sum(value) as total from plain.measures group by place;
create index on plain.sums (total);
create publication everything for table plain.parent, plain.lonely;
alter table plain.parent replica identity full;
alter table plain.parent cluster on parent_pkey;
alter table plain.parent alter column note set storage external, alter column note set statistics 500;
comment on table plain.parent is 'it''s a
comment';
comment on column plain.parent.note is 'short';
comment on index plain."parent (mood)" is 'an index';
comment on constraint "note; is short" on plain.parent is 'a check';
comment on trigger "touch it; now" on plain.parent is 'a trigger';
comment on policy "see all" on plain.parent is 'a policy';
comment on view plain.happy is 'a view';
grant select, insert on plain.parent to "Leser; drop role x";
grant update (note) on plain.parent to "Leser; drop role x" with grant option;
grant usage on sequence plain.parent_id_seq to "Leser; drop role x";
grant usage on schema plain, "odd.schema" to "Leser; drop role x";
alter default privileges for role odd_owner in schema plain grant select on tables to "Leser; drop role x";
alter table plain.parent owner to odd_owner;

insert into plain.parent (mood, amount, note) select 'happy', n, 'note ' || n from generate_series(1, 50) n;
insert into plain."parent child" (id, number, amount, changed, note) values (1000, 1000, 1, 'epoch', 'child');
insert into "odd.schema"."Table ""x"" = $(id)
second line" ("parent id", "-x") select n, E'\\ \t ' || n from generate_series(1, 20) n;
insert into plain.measures select date '2025-06-01' + n, case n % 2 when 0 then 'north' else 'south' end, n from generate_series(0, 399) n;
insert into plain.readings (at, place) select at, place from plain.measures;
insert into plain.lonely values (1, null), (2, 1), (3, 2);
refresh materialized view plain.sums;
select lo_from_bytea(9001, 'large');
grant select on large object 9001 to "Leser; drop role x";
comment on large object 9001 is 'an object';
analyze;
