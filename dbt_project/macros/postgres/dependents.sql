{#
    What others made of a table or view that dbt remakes. dbt renames the old one to `…__dbt_backup` and drops it, with all
    that depends on it, after the post-hooks. Here it goes earlier, in the same transaction: rights, views and foreign keys
    move over to the new one; what cannot is named, with what it takes to make it again.
#}
{% macro keep_dependents() -%}
    {%- if execute and flags.WHICH != 'clone' -%}
    {%- set backup = make_backup_relation(this, 'table') -%}
    {%- for row in run_query(kind_of(backup)).rows -%}
        {#- later, beside the new one's, they would ask for a stronger lock on their parent than is held: a deadlock -#}
        {%- do run_query(drop_keys_of(backup)) -%}
        {#- a foreign key leads to a primary key -#}
        {%- set constraints = add_missing_constraints() if config.get('contract').enforced else '' -%}
        {%- if constraints | trim -%}
            {%- do run_query(constraints) -%}
        {%- endif -%}
        {%- do run_query(move_grants(backup, this)) -%}
        {%- do run_query(move_views_and_keys(backup, this)) -%}
        {%- for row in run_query(dependents_of(backup, this)).rows -%}
            {%- do exceptions.warn(
                row[0] ~ ' depends on the ' ~ this ~ ' of before, does not fit the new one and is dropped with it:\n' ~ row[1]
            ) -%}
        {%- endfor -%}
        {%- do adapter.drop_relation(backup.incorporate(type=row[0])) -%}
        {#- dbt takes every view that hung on the old one for dropped -#}
        {%- for view in run_query(all_views_on(this)).rows -%}
            {%- set kept = api.Relation.create(database=this.database, schema=view[0], identifier=view[1], type='view') -%}
            {%- do adapter.cache_added(kept) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{% macro kind_of(relation) -%}
    select case relkind when 'v' then 'view' else 'table' end
    from pg_class
    where oid = to_regclass('{{ relation }}')
{%- endmacro %}

{% macro drop_keys_of(relation) -%}
    do $$
    declare
        own record;
    begin
        for own in
            select conname from pg_constraint where contype = 'f' and conrelid = '{{ relation }}'::regclass
        loop
            execute format('alter table {{ relation }} drop constraint %I', own.conname);
        end loop;
    end
    $$
{%- endmacro %}

{# Rights on the table and on single columns; what the builder may not give is left out. #}
{% macro move_grants(old, new) -%}
    do $$
    declare
        statement text;
    begin
        for statement in
            select format(
                'grant %s%s on {{ new }} to %s%s',
                acl.privilege_type,
                '(' || quote_ident(granted.column_name) || ')',
                case acl.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(acl.grantee)) end,
                case when acl.is_grantable then ' with grant option' end
            )
            from (
                select null as column_name, relacl as acl, relowner as owner
                from pg_class
                where oid = '{{ old }}'::regclass
                union all
                select attname, attacl, 0
                from pg_attribute
                where attrelid = '{{ old }}'::regclass and not attisdropped
            ) as granted
            cross join lateral aclexplode(granted.acl) as acl
            where acl.grantee <> granted.owner
        loop
            begin
                execute statement;
            exception
                when lock_not_available then raise;
                when others then null;
            end;
        end loop;
    end
    $$
{%- endmacro %}

{# `create or replace` keeps a view's owner, rights and dependents, where its columns are still there. #}
{% macro move_views_and_keys(old, new) -%}
    do $$
    declare
        dependent record;
    begin
        for dependent in {{ views_on(old) }} loop
            begin
                execute format(
                    'create or replace view %s %s as %s',
                    dependent.oid::regclass,
                    dependent.options,
                    replace(pg_get_viewdef(dependent.oid), '{{ old.identifier }}', '{{ new.identifier }}')
                );
            exception
                when lock_not_available then raise;
                when others then null;
            end;
        end loop;

        for dependent in {{ keys_to(old) }} loop
            begin
                if dependent.cascades then
                    execute format(
                        'delete from %s as child where not exists (select 1 from {{ new }} as parent where %s)',
                        dependent.child, dependent.match
                    );
                end if;
                execute format(
                    'alter table %s drop constraint %I, add constraint %2$I %s',
                    dependent.child,
                    dependent.name,
                    replace(dependent.definition, '{{ old.identifier }}', '{{ new.identifier }}')
                );
            exception
                when lock_not_available then raise;
                when others then null;
            end;
        end loop;
    end
    $$
{%- endmacro %}

{% macro views_on(relation) -%}
    select distinct
        views.oid,
        views.relkind,
        'with (' || array_to_string(views.reloptions, ', ') || ')' as options
    from pg_depend as depends
    inner join pg_rewrite as rules on depends.objid = rules.oid and depends.classid = 'pg_rewrite'::regclass
    inner join pg_class as views on rules.ev_class = views.oid
    where depends.refobjid = '{{ relation }}'::regclass and views.oid <> depends.refobjid and views.relkind in ('v', 'm')
{%- endmacro %}

{% macro keys_to(relation) -%}
    select
        keys.conrelid::regclass as child,
        keys.conname as name,
        pg_get_constraintdef(keys.oid) as definition,
        keys.confdeltype = 'c' as cascades,
        (
            select string_agg(format('parent.%I = child.%I', parents.attname, children.attname), ' and ')
            from unnest(keys.conkey, keys.confkey) as pairs (child, parent)
            inner join pg_attribute as children on children.attrelid = keys.conrelid and children.attnum = pairs.child
            inner join pg_attribute as parents on parents.attrelid = keys.confrelid and parents.attnum = pairs.parent
        ) as match
    from pg_constraint as keys
    where keys.contype = 'f' and keys.confrelid = '{{ relation }}'::regclass and keys.conrelid <> keys.confrelid
{%- endmacro %}

{# What is left, and what it would be on the new one. #}
{% macro dependents_of(old, new) -%}
    select
        case views.relkind when 'm' then 'materialized view ' else 'view ' end || views.oid::regclass as dependent,
        replace(pg_get_viewdef(views.oid), '{{ old.identifier }}', '{{ new.identifier }}') as definition
    from ({{ views_on(old) }}) as views

    union all

    select
        format('foreign key %I of %s', keys.name, keys.child) as dependent,
        replace(keys.definition, '{{ old.identifier }}', '{{ new.identifier }}') as definition
    from ({{ keys_to(old) }}) as keys
{%- endmacro %}

{# Views on the relation, views on those, and so on. #}
{% macro all_views_on(relation) -%}
    with recursive views as (
        select '{{ relation }}'::regclass::oid as oid
        union
        select rules.ev_class
        from views
        inner join pg_depend as depends on views.oid = depends.refobjid and depends.classid = 'pg_rewrite'::regclass
        inner join pg_rewrite as rules on depends.objid = rules.oid
    )

    select
        relations.relnamespace::regnamespace::text as schema_name,
        relations.relname as view_name
    from views
    inner join pg_class as relations on views.oid = relations.oid
    where relations.relkind = 'v'
{%- endmacro %}

{#
    In the place of dbt's own: one table or view at a time is remade, for a view on two of them would have the two wait for
    each other.
#}
{% macro postgres__rename_relation(from_relation, to_relation) -%}
    {%- call statement('rename_relation') -%}
        {{ remake_in_turn() }};
        alter table {{ from_relation }} rename to {{ adapter.quote(to_relation.identifier) }}
    {%- endcall -%}
{%- endmacro %}

{% macro remake_in_turn() -%}
    select pg_advisory_xact_lock(hashtext('battery_elt: remake a relation'))
{%- endmacro %}
