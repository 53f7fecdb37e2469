using System.CommandLine;
using System.Text;
using System.Text.RegularExpressions;
using Ingot.Lab;
using Ingot.Training;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot kernels new`: a project for a kernel of one's own, which builds as it stands.</summary>
internal static partial class KernelsNewCommand
{
    public static Command Create()
    {
        var name = new Argument<string>("name") { Description = "Name of the kernel, and of the folder that is written." };
        var op = new Option<string>("--op") { Description = "The op that it computes.", Required = true, HelpName = "op" };
        var output = new Option<string?>("--output") { Description = "The folder. [default: the name]", HelpName = "dir" };
        var command = new Command("new", "Begin a kernel of your own: write a small CMake project that builds as it stands.") { name, op,
            output };
        command.SetAction(result => Run(result.GetRequiredValue(name), result.GetRequiredValue(op), result.GetValue(output)));
        HelpPage.Describe(command, """
            ingot kernels new mine --op attention
            cmake -S mine -B mine/build -DCMAKE_BUILD_TYPE=Release && cmake --build mine/build
            ingot kernels check attention mine --plugin mine/build/libmine.so
            ingot train RECIPE --plugin mine/build/libmine.so --kernel attention=mine
            """);
        return command;
    }

    private static int Run(string name, string op, string? output)
    {
        if (!Names().IsMatch(name))
        {
            throw new TrainingOptionsException([$"\"{name}\" is no name for a kernel: take small letters, digits and _, a letter first"]);
        }

        OpSignature signature;
        try
        {
            signature = OpSignature.Find(op);
        }
        catch (ArgumentException e)
        {
            throw new TrainingOptionsException([e.Message]);
        }

        string folder = Path.GetFullPath(output ?? name);
        if (Path.Exists(folder))
        {
            throw new IOException($"{folder} is there already: take another name, or --output");
        }

        // Beside its name until all of it is there.
        string partial = folder + ".partial";
        Directory.CreateDirectory(Path.Combine(partial, "include", "ingot"));
        Write("include/ingot/ingot.h", Read("include/ingot/ingot.h"));
        Write("include/ingot/kernel.h", Read("include/ingot/kernel.h"));
        bool isExample = op == "attention";
        string build = Read("CMakeLists.txt").Replace("check attention simple", $"check {op} {name}").Replace("libsimple", $"lib{name}")
            .Replace("(simple", $"({name}").Replace("attention.cpp", $"{name}.cpp").Replace("attention.cu", $"{name}.cu");
        Write("CMakeLists.txt", isExample ? build : build[..build.IndexOf("\n# With a CUDA toolkit", StringComparison.Ordinal)]);
        if (isExample)
        {
            Write($"{name}.cpp", Read("attention.cpp").Replace("\"simple\"", $"\"{name}\""));
            Write($"{name}.cu", Read("attention.cu").Replace("\"simple\"", $"\"{name}\""));
        }
        else
        {
            Write($"{name}.cpp", Begin(name, signature));
        }

        Directory.Move(partial, folder);
        Console.WriteLine(
            $"{folder} has a kernel {op}={name}{(isExample ? ", a simple one that works" : ", whose launch is yours to write")}. Next:");
        Console.WriteLine($"  cmake -S {output ?? name} -B {output ?? name}/build -DCMAKE_BUILD_TYPE=Release && cmake --build "
            + $"{output ?? name}/build");
        Console.WriteLine($"  ingot kernels check {op} {name} --plugin {output ?? name}/build/lib{name}.so");
        return ExitCodes.Success;

        void Write(string path, string text) => File.WriteAllText(Path.Combine(partial, path), text);
    }

    [GeneratedRegex("^[a-z][a-z0-9_]*$")]
    private static partial Regex Names();

    private static string Read(string path)
    {
        using Stream stream = typeof(KernelsNewCommand).Assembly.GetManifestResourceStream($"Plugin/{path}")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    // A kernel of any op: its operands by name, and a launch that refuses until it is written.
    private static string Begin(string name, OpSignature signature)
    {
        var operands = new StringBuilder();
        foreach ((int i, OperandSpec operand) in signature.Operands.Index())
        {
            string shape = string.Join(",", operand.Dimensions ?? ["*"]);
            operands.Append($"    const ingot_tensor& {operand.Name} = call->tensors[{i}];  // {(operand.IsIn ? "" : "out ")}[{shape}] "
                + $"{operand.Type}{(operand.IsOptional ? ", data is null if absent" : "")}\n");
        }

        string used = string.Concat(signature.Operands.Select(operand => $"    (void){operand.Name};\n"));
        string attributes = signature.Attributes.Count == 0 ? "none" : string.Join(", ", signature.Attributes.Select((attribute, i) =>
            $"{i} {attribute}"));
        return $$"""
            // {{signature.Op.Name}}: {{signature.Op.Description}}
            // Operands {{signature.Op.Operands}}
            // Attributes {{signature.Op.Attributes}}
            // T is f32 or bf16. Strides are in elements.
            #include <cstdio>

            #include "ingot/kernel.h"

            namespace {

            /// Whether this kernel can do a call. Only shapes and dtypes may be looked at here, not the data.
            int32_t supports(const ingot_kernel_call* call) {
                if (call->tensors[0].dtype == INGOT_F32) return 1;
                std::snprintf(call->message, call->message_capacity, "only fp32");
                return 0;
            }

            /// At most call->threads threads, no allocation, no exception. Attributes in call->attributes: {{attributes}}.
            ingot_status launch(const ingot_kernel_call* call) {
            {{operands}}{{used}}    std::snprintf(call->message, call->message_capacity, "{{signature.Op.Name}}={{name}} is not written yet");
                return INGOT_ERROR_UNSUPPORTED;
            }

            ingot_kernel kernel() {
                ingot_kernel k{};
                k.struct_size = sizeof k;
                k.device_kind = INGOT_DEVICE_CPU;
                k.op = "{{signature.Op.Name}}";
                k.variant = "{{name}}";
                k.description = "of my own";
                // Below every built-in kernel: taken only where it is asked for.
                k.priority = -1;
                k.supports = supports;
                k.launch = launch;
                return k;
            }

            }  // namespace

            extern "C" INGOT_API const ingot_plugin* ingot_plugin_entry(void) {
                static const ingot_kernel kernels[] = {kernel()};
                static const ingot_plugin plugin = {INGOT_ABI_VERSION, 1, kernels};
                return &plugin;
            }

            """;
    }
}
