-- What the roles of roles.sql may do in schema raw. Needs the owner of the schema or a superuser.

-- The loader adds files and keeps its ledger; a document, once in, it cannot change.
grant usage on schema raw to battery_loader, battery_transformer;
grant usage on sequence raw.files_file_id_seq to battery_loader;
grant select, insert on raw.documents to battery_loader;
grant select, insert, update on raw.files, raw.runs to battery_loader;
grant select, insert, update, delete on raw.paths, raw.rejections to battery_loader;
grant select, insert, update, delete on raw.exclusions, raw.cell_types, raw.full_resolution
    to battery_loader;

-- The transformer reads what is landed.
grant select on all tables in schema raw to battery_transformer;
