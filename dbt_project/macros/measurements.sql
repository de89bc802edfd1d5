{# The source columns that hold numbers, by section; named once, for staging and for `unmapped_columns`. #}
{% macro summary_measurements() %}
    {{ return([
        'discharge_capacity', 'charge_capacity', 'discharge_energy', 'charge_energy', 'dc_internal_resistance',
        'temperature_maximum', 'temperature_average', 'temperature_minimum', 'energy_efficiency', 'charge_throughput',
        'energy_throughput', 'charge_duration', 'time_temperature_integrated', 'paused',
    ]) }}
{% endmacro %}

{% macro point_measurements() %}
    {{ return(['time', 'test_time', 'voltage', 'current', 'temperature', 'charge_capacity', 'discharge_capacity']) }}
{% endmacro %}
