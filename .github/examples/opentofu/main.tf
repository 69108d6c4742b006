# A customer and its limits, kept by OpenTofu (or Terraform) with the generic provider for REST.
#
#   export TF_VAR_api=https://panel.example.com/api/v1/accounts/cloudhaus TF_VAR_token=mpp_…
#   tofu init && tofu apply
#
# The token needs the rights to change customers and quotas. Its service user or person is named in the history.
# Not in here: the invitation of the first admin. It is an act and no state, and is over when it is accepted (customer.sh).
terraform {
  required_providers {
    restapi = {
      source  = "Mastercard/restapi"
      version = ">= 2.0"
    }
  }
}

variable "api" {
  type = string
}

variable "token" {
  type      = string
  sensitive = true
}

provider "restapi" {
  uri                  = var.api
  headers              = { Authorization = "Bearer ${var.token}" }
  id_attribute         = "identifier"
  update_method        = "PATCH"
  write_returns_object = true
}

resource "restapi_object" "wayne" {
  path = "/customers"
  data = jsonencode({ name = "Wayne Enterprises", identifier = "wayne" })
  # What is sent when something of it changes. The name is the customer's own afterwards, and the identifier is for ever.
  update_data = jsonencode({ reference = "C-1001", tags = ["gold"] })
  # A customer that renames itself is not renamed back.
  ignore_all_server_changes = true

  lifecycle {
    # Its data would be deleted, too.
    prevent_destroy = true
  }
}

resource "restapi_object" "limits_of_wayne" {
  path      = "/customers/${restapi_object.wayne.id}/quotas"
  object_id = "quotas"
  data      = jsonencode({ limits = { cores = 8, instances = 4 }, remark = "By OpenTofu" })

  # There is one address for all limits of a customer.
  create_method             = "PUT"
  update_method             = "PUT"
  destroy_method            = "PUT"
  read_path                 = "/customers/${restapi_object.wayne.id}/quotas"
  update_path               = "/customers/${restapi_object.wayne.id}/quotas"
  destroy_path              = "/customers/${restapi_object.wayne.id}/quotas"
  destroy_data              = jsonencode({ limits = { cores = null, instances = null }, remark = "Without OpenTofu" })
  ignore_all_server_changes = true
}
