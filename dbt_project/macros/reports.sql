{#
    After a run: rows that failing tests found, for a count alone helps nobody. A test of rows that come from files names
    the file (column `file_name`) and is shown with one row a file, since the remedy is one line a file.
#}
{% macro show_failing_rows(results, limit=10) -%}
    {%- for result in results if result.node.resource_type == 'test' and result.status in ('fail', 'warn') %}
        {%- do print('\n' ~ result.status | upper ~ ' ' ~ result.node.name ~ ' (' ~ result.node.original_file_path ~ ')') %}
        {%- do print_rows(run_query(some_of(result.node.compiled_code, limit))) %}
        {%- do print('  All rows: dbt show --limit -1 --select ' ~ result.node.name) %}
    {%- endfor %}
{%- endmacro %}

{% macro some_of(query, limit) -%}
    {%- set columns = run_query('select failing.* from (\n' ~ query ~ '\n) as failing limit 0').column_names -%}
    {%- if 'file_name' in columns and target.type == 'spark' -%}
    select numbered.* except (row_of_file)
    from (
        select
            count(*) over (partition by failing.file_name) as rows_of_file,
            failing.*,
            row_number() over (partition by failing.file_name order by failing.file_name) as row_of_file
        from (
            {{ query }}
        ) as failing
    ) as numbered
    where numbered.row_of_file = 1
    order by numbered.file_name
    limit {{ limit }}
    {%- elif 'file_name' in columns -%}
    select distinct on (failing.file_name::text)
        count(*) over (partition by failing.file_name::text) as rows_of_file,
        failing.*
    from (
        {{ query }}
    ) as failing
    order by failing.file_name::text
    limit {{ limit }}
    {%- else -%}
    select failing.*
    from (
        {{ query }}
    ) as failing
    limit {{ limit }}
    {%- endif -%}
{%- endmacro %}

{# A table of text, its columns as wide as they need to be. #}
{% macro print_rows(table) -%}
    {%- set lines = [table.column_names | list] %}
    {%- for row in table.rows %}
        {%- do lines.append(row.values() | map('string') | map('replace', '\n', ' ') | list) %}
    {%- endfor %}
    {%- set widths = [] %}
    {%- for position in range(lines[0] | length) %}
        {%- do widths.append(lines | map(attribute=position) | map('length') | max) %}
    {%- endfor %}
    {%- for line in lines %}
        {%- set cells = [] %}
        {%- for cell in line %}
            {%- do cells.append(cell.ljust(widths[loop.index0])) %}
        {%- endfor %}
        {%- do print('  ' ~ (cells | join('  ')).rstrip()) %}
    {%- endfor %}
{%- endmacro %}
