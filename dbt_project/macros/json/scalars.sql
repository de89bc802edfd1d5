{#
    From one JSON value to one SQL value (docs/design.md, Scalars). None of these ever raises an error: what does not fit is NULL.
    An argument is used more than once: give a column of a fenced subquery, not an expression that costs.
#}

{# Exact decimal of a text that is a plain decimal number. The limits keep `::numeric` from overflowing its format. #}
{% macro text_to_number(text) -%}
    case
        when
            length({{ text }}) <= 1000
            and {{ text }} ~ '^[ \t\n\r\f\v]*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?0*[0-9]{1,4})?[ \t\n\r\f\v]*$'
            then btrim({{ text }}, E' \t\n\r\f\v')::numeric
    end
{%- endmacro %}

{# Exact decimal of a JSON number, or of a JSON string that is one. #}
{% macro to_number(value) -%}
    case jsonb_typeof({{ value }})
        when 'number' then ({{ value }})::numeric
        when 'string' then {{ text_to_number("(" ~ value ~ " #>> '{}')") }}
    end
{%- endmacro %}

{#
    The nearest double to an exact decimal; NULL beyond half a step above the largest, and where it would round to zero,
    as PostgreSQL has it ("out of range"). Only a number of many decimals can be so small: scale is the cheap first look.
#}
{% macro fits_double(number) -%}
    {{ number }} between -1.797693134862315807e308 and 1.797693134862315807e308
    and (scale({{ number }}) < 300 or {{ number }} = 0 or abs({{ number }}) > 2.4703282292062328e-324)
{%- endmacro %}

{% macro to_double(number) -%}
    case when {{ fits_double(number) }} then {{ number }}::float8 end
{%- endmacro %}

{% macro is_whole(double, lowest=0, highest=2147483647) -%}
    {{ double }} between {{ lowest }} and {{ highest }} and {{ double }} = trunc({{ double }})
{%- endmacro %}

{% macro to_whole_number(double, lowest=0, highest=2147483647) -%}
    {%- if target.type == 'spark' -%}
    {{ spark_to_whole_number(double, lowest, highest) }}
    {%- else -%}
    case when {{ is_whole(double, lowest, highest) }} then {{ double }}::integer end
    {%- endif -%}
{%- endmacro %}

{% macro to_text(value) -%}
    case when jsonb_typeof({{ value }}) in ('string', 'number', 'boolean') then {{ value }} #>> '{}' end
{%- endmacro %}

{#
    ISO 8601, UTC where no zone is named. `text` is the text of a JSON string. The pattern admits only what `::timestamptz`
    takes, but for the days of the month and the year 0.
#}
{% macro to_timestamp(text) -%}
    case
        when
            {{ text }} ~ '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]+)?)?(Z|[+-](0[0-9]|1[0-5])(:?[0-5][0-9])?)?)?$'
            then case
                when
                    left({{ text }}, 4) > '0000'
                    and substr({{ text }}, 9, 2)::integer <= date_part(
                        'day', make_date(left({{ text }}, 4)::integer, substr({{ text }}, 6, 2)::integer, 1) + interval '1 month -1 day'
                    )
                    then (
                        replace({{ text }}, ',', '.')
                        || case
                            when length({{ text }}) = 10 then ' 00:00Z'
                            when substr({{ text }}, 12) ~ '[Z+-]' then ''
                            else 'Z'
                        end
                    )::timestamptz
            end
    end
{%- endmacro %}

{# Sum, difference and mean of two doubles; NULL where a double cannot hold it, where PostgreSQL raises an error. #}
{% macro total(left, right) -%}
    case
        when greatest(abs({{ left }}), abs({{ right }})) <= 8.9e307 then {{ left }} + {{ right }}
        when abs({{ half_of_large(left) }} + {{ half_of_large(right) }}) <= 8.988465674311579e307 then {{ left }} + {{ right }}
    end
{%- endmacro %}

{# Half of a double so large that it matters to one beyond 1e307; the half of the smallest would be an error. #}
{% macro half_of_large(double) -%}
    (case when abs({{ double }}) > 1 then {{ double }} / 2 else 0 end)
{%- endmacro %}

{% macro difference(left, right) -%}
    {{ total(left, '(-' ~ right ~ ')') }}
{%- endmacro %}

{% macro mean(left, right) -%}
    case
        when {{ total(left, right) }} is null then {{ left }} / 2 + {{ right }} / 2
        when abs({{ left }} + {{ right }}) > 5e-324 then ({{ left }} + {{ right }}) / 2
        else 0 * {{ left }}
    end
{%- endmacro %}
