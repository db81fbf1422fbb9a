-- One line a table, materialized view, sequence and large object of the database: its name, its rows, a digest of every
-- row. Two databases with equal output hold equal rows.
create function pg_temp.fingerprint(relation regclass) returns text language plpgsql as $$
declare answer text;
begin
  execute format(
    'select count(*) || '' '' || coalesce(md5(string_agg(digest, '''' order by digest)), ''empty'')
       from (select md5(r::text) as digest from only %s r) rows', relation) into answer;
  return answer;
end $$;
select quote_ident(n.nspname) || '.' || quote_ident(c.relname) || ' ' || pg_temp.fingerprint(c.oid)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'm') and c.relispopulated and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  order by 1;
select 'sequence ' || quote_ident(schemaname) || '.' || quote_ident(sequencename) || ' ' || coalesce(last_value::text, 'unused')
  from pg_sequences order by 1;
select 'large object ' || count(*) || ' ' || coalesce(md5(string_agg(md5(lo_get(oid)), '' order by oid)), 'empty')
  from pg_largeobject_metadata;
