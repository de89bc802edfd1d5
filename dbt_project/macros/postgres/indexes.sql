{#
    Names indexes by their table and columns: dbt names them by a hash that means nothing in a plan or an error message.
    At the end of a run, for while a table is remade its old and its new indexes stand side by side.
#}
{% macro name_indexes() -%}
    {%- if execute and target.type == 'postgres' -%}
    do $$
    declare
        found record;
    begin
        for found in
            with

            named_by_hash as (
                select
                    pg_index.indexrelid::regclass as current_name,
                    tables.relnamespace::regnamespace as schema_name,
                    tables.relname || '_' || string_agg(attributes.attname, '_' order by attributes.attnum) as columns
                from pg_index
                inner join pg_class as indexes on pg_index.indexrelid = indexes.oid
                inner join pg_class as tables on pg_index.indrelid = tables.oid
                inner join pg_attribute as attributes on indexes.oid = attributes.attrelid
                where
                    indexes.relname ~ '^[0-9a-f]{32}$'
                    and tables.relnamespace::regnamespace::text in ('{{ target.schema }}', '{{ target.schema }}_staging')
                    and pg_has_role(indexes.relowner, 'usage')
                group by pg_index.indexrelid, tables.relnamespace, tables.relname
            )

            select current_name, left(columns, 59) || '_idx' as wanted_name
            from named_by_hash
            where to_regclass(format('%s.%I', schema_name, left(columns, 59) || '_idx')) is null
        loop
            execute format('alter index %s rename to %I', found.current_name, found.wanted_name);
        end loop;
    end;
    $$;
    {%- endif -%}
{%- endmacro %}
