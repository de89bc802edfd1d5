{#
    What features are computed of. PostgreSQL raises an error where a power or a sum leaves the range of doubles, and one such
    file would hold up all others (design: Scalars): no sum of fourth powers of these does.
#}

{# A measurement, unknown beyond ±1e70. #}
{% macro bounded(measurement) -%}
    case when abs({{ measurement }}) <= 1e70 then {{ measurement }} end
{%- endmacro %}

{# A difference of two bounded ones, 0 where its size is below 1e-60. #}
{% macro bounded_difference(later, earlier) -%}
    case when abs({{ later }} - {{ earlier }}) < 1e-60 then 0 else {{ later }} - {{ earlier }} end
{%- endmacro %}

{# Logarithm to base 10 of a size, as BEEP takes it of every statistic; of 0 there is none. #}
{% macro log_size(number) -%}
    log10(nullif(abs({{ number }}), 0))
{%- endmacro %}
