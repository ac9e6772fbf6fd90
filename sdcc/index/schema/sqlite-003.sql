-- The index on SQLite, version 3: attributes that are often asked for, and names that are found without regard to case.

-- NULL for objects that were registered before, until `sdccctl reindex` registers them again.
ALTER TABLE study ADD COLUMN patient_birth_time TEXT
    CHECK (substr(patient_birth_time, 1, 8) IS time(patient_birth_time));  -- (0010,0032)
ALTER TABLE study ADD COLUMN other_patient_ids TEXT;  -- (0010,1000)
ALTER TABLE study ADD COLUMN ethnic_group TEXT;  -- (0010,2160)
ALTER TABLE study ADD COLUMN patient_age TEXT;  -- (0010,1010)
ALTER TABLE study ADD COLUMN patient_size TEXT;  -- (0010,1020)
ALTER TABLE study ADD COLUMN patient_weight TEXT;  -- (0010,1030)
ALTER TABLE study ADD COLUMN occupation TEXT;  -- (0010,2180)
ALTER TABLE study ADD COLUMN patient_comments TEXT;  -- (0010,4000)
ALTER TABLE study ADD COLUMN additional_patient_history TEXT;  -- (0010,21B0)
ALTER TABLE study ADD COLUMN admitting_diagnoses_description TEXT;  -- (0008,1080)
ALTER TABLE study ADD COLUMN name_of_physicians_reading_study TEXT;  -- (0008,1060)
ALTER TABLE study ADD COLUMN procedure_code_sequence TEXT
    CHECK (procedure_code_sequence IS NULL OR json_valid(procedure_code_sequence));  -- (0008,1032)

ALTER TABLE series ADD COLUMN performed_procedure_step_start_date TEXT
    CHECK (performed_procedure_step_start_date IS date(performed_procedure_step_start_date));  -- (0040,0244)
ALTER TABLE series ADD COLUMN performed_procedure_step_start_time TEXT
    CHECK (substr(performed_procedure_step_start_time, 1, 8) IS time(performed_procedure_step_start_time));  -- (0040,0245)
ALTER TABLE series ADD COLUMN performed_procedure_step_id TEXT;  -- (0040,0253)
ALTER TABLE series ADD COLUMN request_attributes_sequence TEXT
    CHECK (request_attributes_sequence IS NULL OR json_valid(request_attributes_sequence));  -- (0040,0275)

-- Names as they are compared: the case of all of Unicode folded, with no empty components at the end. Of the patient's
-- name a column for each component group, '' where the name has none; of others all values, with their delimiters.
ALTER TABLE study ADD COLUMN patient_name_alphabetic TEXT;
ALTER TABLE study ADD COLUMN patient_name_ideographic TEXT;
ALTER TABLE study ADD COLUMN patient_name_phonetic TEXT;
ALTER TABLE study ADD COLUMN referring_physician_name_folded TEXT;
ALTER TABLE study ADD COLUMN name_of_physicians_reading_study_folded TEXT;
ALTER TABLE series ADD COLUMN performing_physician_name_folded TEXT;
ALTER TABLE series ADD COLUMN operators_name_folded TEXT;

-- The functions are SDCC's own, and known to the connection that upgrades alone.
UPDATE study SET
    patient_name_alphabetic = sdcc_patient_name(patient_name, 0),
    patient_name_ideographic = sdcc_patient_name(patient_name, 1),
    patient_name_phonetic = sdcc_patient_name(patient_name, 2),
    referring_physician_name_folded = sdcc_names(referring_physician_name)
WHERE patient_name IS NOT NULL OR referring_physician_name IS NOT NULL;
UPDATE series SET
    performing_physician_name_folded = sdcc_names(performing_physician_name),
    operators_name_folded = sdcc_names(operators_name)
WHERE performing_physician_name IS NOT NULL OR operators_name IS NOT NULL;

CREATE INDEX study_by_alphabetic_name ON study (patient_name_alphabetic);
CREATE INDEX study_by_ideographic_name ON study (patient_name_ideographic);
CREATE INDEX study_by_phonetic_name ON study (patient_name_phonetic);
