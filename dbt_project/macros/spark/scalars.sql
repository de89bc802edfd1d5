{#
    scalars.sql for Spark, from a VARIANT (try_parse_json): it keeps the JSON type of every value and the exact digits of a
    number of up to 38; from there a double is the nearest one.
#}

{% macro spark_text_to_double(text) -%}
    case
        when
            length({{ text }}) <= 1000
            and {{ text }} rlike r'^[ \t\n\r\f\x0b]*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?0*[0-9]{1,4})?[ \t\n\r\f\x0b]*\z'
            then {{ spark_finite('cast(trim(' ~ text ~ ') as double)') }}
    end
{%- endmacro %}

{# NULL for the infinities and NaN, which is greater than every number; 0 for -0, as PostgreSQL reads it. #}
{% macro spark_finite(double) -%}
    nullif(nullif(nullif({{ double }}, double('Infinity')), double('-Infinity')), double('NaN')) + 0
{%- endmacro %}

{# A double of a JSON number, or of a JSON string that is one. #}
{% macro spark_to_double(value) -%}
    case schema_of_variant({{ value }})
        when 'BOOLEAN' then null
        when 'STRING' then {{ spark_text_to_double("try_variant_get(" ~ value ~ ", '$', 'string')") }}
        else {{ spark_finite("try_variant_get(" ~ value ~ ", '$', 'double')") }}
    end
{%- endmacro %}

{% macro spark_to_whole_number(double, lowest=0, highest=2147483647) -%}
    case when {{ double }} between {{ lowest }} and {{ highest }} and {{ double }} % 1 = 0 then cast({{ double }} as int) end
{%- endmacro %}

{% macro spark_to_text(value) -%}
    case when schema_of_variant({{ value }}) not rlike '^(OBJECT|ARRAY|VOID)' then try_variant_get({{ value }}, '$', 'string') end
{%- endmacro %}

{#
    Year 0 and days that a month has not are NULL; beyond the microsecond Spark cuts where PostgreSQL rounds. Before a zone
    Spark wants seconds.
#}
{% macro spark_to_timestamp(text) -%}
    case
        when
            {{ text }} rlike r'^(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]+)?)?(Z|[+-](0[0-9]|1[0-5])(:?[0-5][0-9])?)?)?\z'
            then try_cast(
                regexp_replace(replace({{ text }}, ',', '.'), r'^(.{13}:[0-9]{2})(?!:)', '$1:00')
                || case
                    when length({{ text }}) = 10 then ' 00:00:00Z'
                    when substr({{ text }}, 12) rlike '[Z+-]' then ''
                    else 'Z'
                end as timestamp
            )
    end
{%- endmacro %}
