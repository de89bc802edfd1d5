-- Three roles that nobody logs in as: grant them to those who load, who build and who read.
-- Safe to run again, after an upgrade of the loader, too. Needs a superuser, or the owner of the
-- database with the right to create roles. https://www.postgresql.org/docs/current/ddl-priv.html

do $$
declare
    wanted text;
begin
    foreach wanted in array array['battery_loader', 'battery_transformer', 'battery_reader'] loop
        if not exists (select from pg_roles where rolname = wanted) then
            execute format('create role %I nologin', wanted);
        end if;
    end loop;
    -- who gives something away to a role has to be one of its members
    if not pg_has_role('battery_transformer', 'member') then
        execute format('grant battery_transformer to %I', current_user);
    end if;
end
$$;

-- The loader adds files and keeps its ledger; a document, once in, it cannot change.
grant usage on schema raw to battery_loader, battery_transformer;
grant usage on sequence raw.files_file_id_seq to battery_loader;
grant select, insert on raw.documents to battery_loader;
grant select, insert, update on raw.files, raw.runs to battery_loader;
grant select, insert, update, delete on raw.paths, raw.rejections to battery_loader;

-- The transformer reads what is landed and owns what is made of it.
grant select on all tables in schema raw to battery_transformer;
create schema if not exists battery authorization battery_transformer;
create schema if not exists battery_staging authorization battery_transformer;

do $$
declare
    relation record;
begin
    alter schema battery owner to battery_transformer;
    alter schema battery_staging owner to battery_transformer;
    for relation in
        select pg_class.oid::regclass as name, pg_class.relkind
        from pg_class
        where pg_class.relnamespace in ('battery'::regnamespace, 'battery_staging'::regnamespace)
            and pg_class.relkind in ('r', 'v')
            and pg_class.relowner <> 'battery_transformer'::regrole
    loop
        execute format(
            'alter %s %s owner to battery_transformer',
            case relation.relkind when 'v' then 'view' else 'table' end,
            relation.name
        );
    end loop;
end
$$;

-- The reader reads the published tables, those of builds to come included.
grant usage on schema battery to battery_reader;
grant select on all tables in schema battery to battery_reader;
alter default privileges for role battery_transformer in schema battery
    grant select on tables to battery_reader;
