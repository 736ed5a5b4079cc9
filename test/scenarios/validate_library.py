"""validate_library.py SCHEMA SOURCE: every library scenario satisfies the JSON Schema, and files that the reader refuses
for reasons that a schema can tell do not."""

import json
import pathlib
import sys

import jsonschema
import yaml

# Refused by the reader and expressible in a JSON Schema.
REFUSED = """
unknown_key unknown_section megatron_name misplaced_key missing_schema wrong_schema missing_model model_and_workload
missing_global_batch missing_several empty_value empty_section text_for_a_mapping list_for_a_number mapping_for_a_number
quoted_number fraction negative zero_layers oversubscription_below_one too_many_iterations time_without_unit
time_with_a_size time_in_capitals size_in_bits bucket_without_unit unknown_schedule
unsupported_precision unsupported_moe unsupported_context unsupported_zero unsupported_faults order_unknown
unknown_recompute unknown_fabric fabric_tiers dimensions_are_a_number unknown_routing routing_without_subflows
unknown_transport fabric_link_without_unit unknown_topology graph_unknown_link_kind graph_bandwidth_without_unit
graph_ends_are_a_text graph_items_are_texts graph_is_not_a_list graph_link_without_bandwidth fault_unknown_kind
fault_without_target fault_of_factor_zero faults_are_a_mapping unknown_algorithm unsupported_collective_group
""".split()


def main(schema_path, source):
    schema = json.loads(pathlib.Path(schema_path).read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    source = pathlib.Path(source)
    faults = []
    for path in sorted((source / "scenarios" / "library").glob("*.yaml")):
        for error in validator.iter_errors(yaml.safe_load(path.read_text())):
            faults.append(f"{path.name}: {list(error.path)}: {error.message}")
    clusters = jsonschema.Draft7Validator(schema["properties"]["cluster"])
    for path in sorted((source / "scenarios" / "library" / "clusters").glob("*.yaml")):
        for error in clusters.iter_errors(yaml.safe_load(path.read_text())):
            faults.append(f"{path.name}: {list(error.path)}: {error.message}")
    for name in REFUSED:
        path = source / "test" / "golden" / f"fail_{name}.yaml"
        if validator.is_valid(yaml.safe_load(path.read_text())):
            faults.append(f"{path.name}: accepted by the schema")
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
