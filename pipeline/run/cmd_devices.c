#include <gst/gst.h>
#include <stdio.h>

#include "pipeline/gpu/gpu.h"
#include "pipeline/run/cmd.h"

enum { MAX_DEVICES = 32 };

static void print_gpu(int number, const fv_gpu_info *info) {
    const fv_gpu_caps *c = &info->caps;
    printf("%d  %s\n", number, c->name);
    printf("   driver %s, Vulkan %u.%u.%u, %s, %.1f GiB\n", c->driver, c->api_version >> 22 & 0x7f,
           c->api_version >> 12 & 0x3ff, c->api_version & 0xfff,
           c->cpu        ? "CPU"
           : c->discrete ? "discrete GPU"
                         : "integrated GPU",
           (double)c->memory_bytes / (1 << 30));
    if (info->reason[0]) {
        printf("   cannot be used: %s\n", info->reason);
        return;
    }
    printf("   subgroups of %u, %u KiB shared, fp16 storage %s, fp16 arithmetic %s, cooperative "
           "matrix %s\n",
           c->subgroup, c->shared_bytes / 1024, c->fp16_storage ? "yes" : "no",
           c->fp16_arithmetic ? "yes" : "no",
           c->coopmat_khr  ? "KHR"
           : c->coopmat_nv ? "NV"
                           : "no");
}

static bool print_gpus(fv_err *err) {
    fv_gpu_info list[MAX_DEVICES];
    int n = fv_gpu_list(list, MAX_DEVICES, err);
    printf("Vulkan\n");
    for (int i = 0; i < n; i++)
        print_gpu(i, &list[i]);
    if (n == 0)
        printf("   no device\n");
    return n >= 0;
}

static void print_formats(GstDevice *device) {
    GstCaps *caps = gst_device_get_caps(device);
    for (guint i = 0; caps && i < gst_caps_get_size(caps) && i < 12; i++) {
        gchar *text = gst_structure_to_string(gst_caps_get_structure(caps, i));
        printf("   %.140s\n", text);
        g_free(text);
    }
    if (caps)
        gst_caps_unref(caps);
}

static void print_camera(gpointer data, gpointer user) {
    (void)user;
    gchar *name = gst_device_get_display_name(data);
    GstStructure *facts = gst_device_get_properties(data);
    const gchar *path = facts ? gst_structure_get_string(facts, "device.path") : NULL;
    printf("%s  %s\n", path ? path : "-", name);
    print_formats(data);
    if (facts)
        gst_structure_free(facts);
    g_free(name);
}

static void print_cameras(void) {
    gst_init(NULL, NULL);
    GstDeviceMonitor *monitor = gst_device_monitor_new();
    gst_device_monitor_add_filter(monitor, "Video/Source", NULL);
    GList *list =
        gst_device_monitor_start(monitor) ? gst_device_monitor_get_devices(monitor) : NULL;
    printf("cameras\n");
    g_list_foreach(list, print_camera, NULL);
    if (!list)
        printf("   none\n");
    g_list_free_full(list, gst_object_unref);
    gst_device_monitor_stop(monitor);
    gst_object_unref(monitor);
}

int fv_cmd_devices(int argc, char **argv) {
    if (fv_cmd_help("devices", argc, argv))
        return 0;
    fv_err err = {0};
    if (argc > 1)
        return fv_cmd_usage("devices", "takes no arguments");
    if (!print_gpus(&err))
        printf("   %s\n", err.text);
    print_cameras();
    return fv_err_exit_code(&err);
}
