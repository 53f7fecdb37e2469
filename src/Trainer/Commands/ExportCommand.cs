using System.CommandLine;
using Ingot.Checkpoints;
using Ingot.Checkpoints.Gguf;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot export`: a trained model for other programs, as a Hugging Face folder or as a GGUF file.</summary>
internal static class ExportCommand
{
    private const string HuggingFace = "huggingface";
    private const string Gguf = "gguf";

    public static Command Create()
    {
        var model = new Option<string>("--model")
        {
            Description = "A run's directory (its best checkpoint is taken, else the newest) or a model's folder.",
            Required = true,
            HelpName = "dir",
        };
        var output = new Option<string>("--output")
        {
            Description = "The folder to make; for gguf the file, or a folder that gets model.gguf.",
            Required = true,
            HelpName = "path",
        };
        var format = new Option<string>("--format")
        {
            Description = $"{HuggingFace}: a folder that transformers load. {Gguf}: one file for llama.cpp.",
            HelpName = "format",
            DefaultValueFactory = _ => HuggingFace,
        };
        format.Validators.Add(result =>
        {
            string value = result.GetValueOrDefault<string>() ?? "";
            if (value is not (HuggingFace or Gguf))
            {
                result.AddError($"--format {value}: it is {HuggingFace} or {Gguf}");
            }
        });
        Option<string> dtype = ExportOptions.Dtype("fp32", "bf16", "fp16", "q8_0");
        dtype.Description += " q8_0 is for gguf.";
        Option<string> maxShardSize = ExportOptions.MaxShardSize();
        var command = new Command("export", "Write a model for Hugging Face transformers or llama.cpp.")
        {
            model, output, format, dtype, maxShardSize,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(format) != Gguf && "q8_0".Equals(result.GetValue(dtype), StringComparison.OrdinalIgnoreCase))
            {
                result.AddError($"--dtype q8_0 belongs to --format {Gguf}");
            }
        });
        command.SetAction(result =>
        {
            string folder = ModelFolder.Find(result.GetRequiredValue(model));
            string path = result.GetRequiredValue(output);
            string type = result.GetRequiredValue(dtype);
            return result.GetRequiredValue(format) == Gguf
                ? WriteGguf(folder, path, type)
                : WriteFolder(folder, path, type, result.GetRequiredValue(maxShardSize));
        });
        HelpPage.Describe(command, """
            ingot export --model runs/jargon --output exported/jargon
            ingot export --model runs/jargon --output exported/jargon-bf16 --dtype bf16 --maxShardSize 2GB
            ingot export --model runs/jargon --output exported/jargon.gguf --format gguf --dtype q8_0
            """);
        return command;
    }

    /// <summary>Writes a Hugging Face folder and says what is in it.</summary>
    public static int WriteFolder(string folder, string output, string dtype, string maxShardSize)
    {
        using var interruption = new Interruption();
        IReadOnlyList<ExportedTensor> tensors;
        try
        {
            using var progress = LineProgress.OfBytes();
            tensors = ModelExport.Write(folder, output, ExportOptions.Read(dtype, maxShardSize, progress.Report), interruption.Token);
        }
        catch (OperationCanceledException)
        {
            return Interrupted(interruption);
        }

        int files = tensors.Select(tensor => tensor.File).Distinct().Count();
        string types = string.Join(", ", tensors.Select(tensor => tensor.To.FileName()).Distinct());
        string parts = files == 1 ? "one file" : $"{files} files";
        Console.WriteLine($"written     {output}: {tensors.Count} tensors in {types}, {parts} of weights");
        return ExitCodes.Success;
    }

    private static int WriteGguf(string folder, string output, string dtype)
    {
        string path = output.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase) ? output : Path.Combine(output, "model.gguf");
        GgufType type = dtype.ToUpperInvariant() switch
        {
            "FP32" => GgufType.F32,
            "FP16" => GgufType.F16,
            "BF16" => GgufType.BF16,
            "Q8_0" => GgufType.Q8_0,
            _ => TypeOf(folder),
        };
        using var interruption = new Interruption();
        try
        {
            using var progress = LineProgress.OfBytes();
            IReadOnlyList<(string Name, IReadOnlyList<long> Shape, GgufType Type)> tensors =
                GgufExport.Write(folder, path, type, progress.Report, interruption.Token);
            progress.Dispose();
            ModelTable.Write(tensors.Select(tensor => new ModelTable.Row(tensor.Name, tensor.Shape, tensor.Type.ToString())));
        }
        catch (OperationCanceledException)
        {
            return Interrupted(interruption);
        }

        Console.WriteLine($"written     {path}: {Text.Bytes(new FileInfo(path).Length)}");
        return ExitCodes.Success;
    }

    // The type of most of the weights.
    private static GgufType TypeOf(string folder)
    {
        using ModelTensors tensors = ModelTensors.Open(folder);
        return tensors.Parameters.GroupBy(p => tensors[p.Name].Dtype).MaxBy(group => group.Sum(p => p.Elements))!.Key switch
        {
            SafetensorsDtype.F16 => GgufType.F16,
            SafetensorsDtype.BF16 => GgufType.BF16,
            _ => GgufType.F32,
        };
    }

    private static int Interrupted(Interruption interruption)
    {
        Console.Error.WriteLine("interrupted: nothing was written");
        return interruption.ExitCode;
    }
}
