{#
    The sections of a document that are taken apart, and of each the columns that become columns of a table: `numbers` and
    `others`; `full_resolution` are numbers that only `battery_points` takes. A new section is an entry here, a staging model and a mart; its cycles count in the numbering of runs.
#}
{% macro sections() %}
    {{ return({
        'summary': {
            'numbers': [
                'discharge_capacity', 'charge_capacity', 'discharge_energy', 'charge_energy', 'dc_internal_resistance',
                'temperature_maximum', 'temperature_average', 'temperature_minimum', 'energy_efficiency', 'charge_throughput',
                'energy_throughput', 'charge_duration', 'time_temperature_integrated', 'paused',
            ],
            'others': ['date_time_iso'],
        },
        'cycles_interpolated': {
            'numbers': ['time', 'test_time', 'voltage', 'current', 'temperature', 'charge_capacity', 'discharge_capacity'],
            'others': ['step_type'],
            'full_resolution': ['charge_energy', 'discharge_energy', 'internal_resistance', 'step_index'],
        },
        'diagnostic_summary': {
            'numbers': [
                'discharge_capacity', 'charge_capacity', 'discharge_energy', 'charge_energy', 'temperature_maximum',
                'temperature_average', 'temperature_minimum', 'coulombic_efficiency', 'paused', 'CV_time', 'CV_current', 'CV_capacity',
            ],
            'others': ['cycle_type', 'date_time_iso'],
        },
        'diagnostic_interpolated': {
            'numbers': [
                'time', 'test_time', 'voltage', 'current', 'temperature', 'charge_capacity', 'discharge_capacity', 'charge_energy',
                'discharge_energy', 'internal_resistance', 'step_index', 'step_index_counter', 'step_type', 'charge_dQdV', 'discharge_dQdV',
            ],
            'others': ['cycle_type'],
        },
    }) }}
{% endmacro %}
