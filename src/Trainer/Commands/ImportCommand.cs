using System.CommandLine;
using Ingot.Checkpoints;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot import`: checks a model folder from elsewhere, and writes it anew in the form that is wanted.</summary>
internal static class ImportCommand
{
    public static Command Create()
    {
        var folder = new Argument<string>("folder")
        {
            Description = "A model's folder: config.json, weights in safetensors, tokenizer files.",
        };
        var output = new Option<string?>("--output")
        {
            Description = "The folder to make; without it the model is only checked and described.",
            HelpName = "dir",
        };
        Option<string> dtype = ExportOptions.Dtype("fp32", "bf16", "fp16");
        Option<string> maxShardSize = ExportOptions.MaxShardSize();
        var command = new Command("import", "Check a Hugging Face model folder, and convert it.") { folder, output, dtype, maxShardSize };
        command.SetAction(result => Run(
            result.GetRequiredValue(folder),
            result.GetValue(output),
            result.GetRequiredValue(dtype),
            result.GetRequiredValue(maxShardSize)));
        HelpPage.Describe(command, """
            ingot import models/gpt2                       is it a model that Ingot can use? What is in it?
            ingot import models/Llama-3.2-1B --output models/llama-fp32 --dtype fp32
            ingot import models/Qwen3-0.6B --output models/qwen3 --dtype bf16 --maxShardSize 500MB
            """);
        return command;
    }

    private static int Run(string folder, string? output, string dtype, string maxShardSize)
    {
        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException($"{folder}: no such directory");
        }

        using (ModelTensors tensors = ModelTensors.Open(folder))
        {
            ModelTable.Write(folder, tensors);
        }

        return output is null ? ExitCodes.Success : ExportCommand.WriteFolder(folder, output, dtype, maxShardSize);
    }
}
