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
    if not pg_has_role('battery_transformer', 'usage') then
        execute format('grant battery_transformer to %I', current_user);
    end if;
end
$$;

-- The transformer owns what is made of what is landed; dbt works with temporary tables.
do $$
declare
    wanted text;
begin
    execute format('grant temporary on database %I to battery_transformer', current_database());
    foreach wanted in array array['battery', 'battery_staging'] loop
        if to_regnamespace(wanted) is null then
            execute format('create schema %I authorization battery_transformer', wanted);
        end if;
    end loop;
end
$$;

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

-- The reader reads the published tables, those of builds to come included: tables belong to whoever
-- builds, be it the transformer, one of its members, the owner of the database or who runs this.
grant usage on schema battery to battery_reader;
grant select on all tables in schema battery to battery_reader;

do $$
declare
    builder name;
begin
    for builder in
        select rolname from pg_roles
        where pg_has_role(current_user, oid, 'usage')
            and rolname not like 'pg\_%'
            and (
                pg_has_role(oid, 'battery_transformer', 'member')
                or rolname = current_user
                or oid = (select datdba from pg_database where datname = current_database())
            )
    loop
        execute format(
            'alter default privileges for role %I in schema battery'
            ' grant select on tables to battery_reader',
            builder
        );
    end loop;
end
$$;
