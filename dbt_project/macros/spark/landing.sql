{#
    On-run-start: the folder of `--vars 'landing: FOLDER'` as the source `raw`. Cell types and batteries of full
    resolution a folder does not hold: on Spark the seeds are the place.
#}
{% macro read_landing() -%}
    {%- if execute and target.type == 'spark' and flags.WHICH in ('build', 'run', 'test', 'show') -%}
    {%- set folder = var('landing', none) or exceptions.raise_compiler_error("Say where the files landed: --vars 'landing: FOLDER'") -%}
    {%- do run_query('create schema if not exists raw') -%}
    {%- for name, select in landed_views(folder).items() -%}
        {%- do run_query('create or replace view raw.' ~ name ~ ' as ' ~ select) -%}
    {%- endfor -%}
    {%- do run_query('set spark.sql.session.timeZone = UTC') -%}
    {#- of a key twice the last stands -#}
    {%- do run_query('set spark.sql.variant.allowDuplicateKeys = true') -%}
    {#- JSON is dear to parse: a task for a few row groups, not for 128 MB of compressed text -#}
    {%- do run_query('set spark.sql.files.maxPartitionBytes = ' ~ var('split_bytes', 4194304)) -%}
    {%- endif -%}
{%- endmacro %}

{# The batch is the name of a folder and would be read as an integer. #}
{% macro landed_views(folder) -%}
    {{ return({
        'documents': 'select file_id, part_no, first_point, document, cast(batch as bigint) as batch
            from parquet.`' ~ folder ~ '/parts`',
        'files': 'select * from parquet.`' ~ folder ~ '/files`',
        'exclusions': 'select * from parquet.`' ~ folder ~ '/exclusions`',
        'cell_types': "select '' as pattern, '' as cell, double(0) as nominal_capacity, double(0) as voltage_minimum,
            double(0) as voltage_maximum where false",
        'full_resolution': "select '' as barcode, '' as reason where false",
    }) }}
{%- endmacro %}

{#
    CTEs from the ledger to a CTE `pending_batches` (batch, batch_files): those that hold other files than when this model wrote
    them, told by a hash of their ids, or of what `columns` of a CTE `files` say of
    each. A batch is written whole, so that one half written by a driver that died is put right by the next build.
#}
{% macro pending_batches(files='landed', columns=['file_id']) -%}
batches as (
    select
        landed.batch,
        bit_xor(xxhash64({{ files }}.{{ columns | join(', ' ~ files ~ '.') }})) as batch_files
    from {{ ref('stg_landed') }} as landed
    {%- if files != 'landed' %}
    inner join {{ files }} on landed.file_id = {{ files }}.file_id
    {%- endif %}
    group by landed.batch
),

pending_batches as (
    select batches.*
    from batches
    {% if is_incremental() %}
    where not exists (
        select 1
        from {{ this }} as done
        where done.batch = batches.batch and done.batch_files = batches.batch_files
    )
    {% endif %}
)
{%- endmacro %}
