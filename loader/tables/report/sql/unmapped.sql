select
    key_path,
    file_count
from battery.unmapped_columns
order by file_count desc, key_path asc
