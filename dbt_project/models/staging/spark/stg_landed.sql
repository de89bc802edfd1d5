{{ config(materialized='view') }}

-- two loaders at once may land one content twice: the lower of two ids stands
select
    min(files.file_id) as file_id,
    min_by(files.name, files.file_id) as name,
    files.sha256,
    min_by(files.size_bytes, files.file_id) as size_bytes,
    min_by(files.loaded_at, files.file_id) as loaded_at,
    min_by(files.batch, files.file_id) as batch
from {{ source('raw', 'files') }} as files
group by files.sha256
