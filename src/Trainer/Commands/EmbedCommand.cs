using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using Ingot.Checkpoints;
using Ingot.Encoders;
using Ingot.Training;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot embed`: an encoder turns texts into vectors.</summary>
internal static class EmbedCommand
{
    public static Command Create()
    {
        var model = new Option<string>("--model") { Description = ModelFolder.Description, Required = true, HelpName = "dir" };
        Option<string?> input = TextFile.InputOption();
        input.Required = true;
        var pooling = new Option<string>("--pooling")
        {
            Description = "How a text's vector is made: the mean of its tokens' states, or that of the first token.",
            DefaultValueFactory = _ => "mean",
        };
        pooling.AcceptOnlyFromAmong("mean", "cls");
        var raw = new Option<bool>("--noNormalize") { Description = "Keep the vectors as long as they are, in place of length 1." };
        Option<int> batchSize = NumberOption.Create("batchSize", "Texts that go through the model side by side.", 16);
        Option<bool> truncation = TextFile.TruncationOption();
        Option<string> precision = PrecisionOption.Create();
        Option<string> device = DeviceOption.Create();
        var output = new Option<string?>("--output")
        {
            Description = "File for the vectors: *.jsonl has a list of numbers on each line, *.safetensors one tensor \"embeddings\" "
                + "[texts, width]. Without it they are written to standard output, as in *.jsonl.",
            HelpName = "file",
        };
        var command = new Command("embed", "Turn texts into vectors with an encoder.")
        {
            model, input, pooling, raw, batchSize, truncation, precision, device, output,
        };
        command.SetAction(result =>
        {
            int rows = BenchCommand.AtLeastOne(batchSize, result.GetValue(batchSize));
            string? path = result.GetValue(output);
            bool tensors = path?.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase) == true;
            if (path is not null && !tensors && !path.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase))
            {
                throw new TrainingOptionsException([$"--output {path}: the name must end with .jsonl or .safetensors, which says the "
                    + "form"]);
            }

            IReadOnlyList<(string Text, string? Pair)> texts = TextFile.Read(result.GetRequiredValue(input)!);
            if (texts.Any(text => text.Pair is not null))
            {
                throw new TrainingOptionsException(["--input holds pairs (text_pair), and a vector is that of one text: leave them out"]);
            }

            using SentenceEncoder encoder = SentenceEncoder.Load(ModelFolder.Find(result.GetRequiredValue(model)),
                DeviceOption.Find(result.GetRequiredValue(device)), PrecisionOption.Find(result.GetRequiredValue(precision)), rows,
                result.GetRequiredValue(pooling) == "cls" ? Pooling.Cls : Pooling.Mean, !result.GetValue(raw), result.GetValue(truncation));
            using var interruption = new Interruption();
            IEnumerable<float[]> vectors = texts.Chunk(100 * rows)
                .SelectMany(part => encoder.Encode(part.Select(text => text.Text), interruption.Token));
            return tensors
                ? WriteTensor(path!, vectors, encoder.Dimensions, interruption)
                : TextFile.Write(path, interruption, write =>
                {
                    foreach (float[] vector in vectors)
                    {
                        write("[" + string.Join(", ", vector.Select(v => v.ToString("R", CultureInfo.InvariantCulture))) + "]");
                    }
                });
        });
        HelpPage.Describe(command, """
            ingot embed --model runs/encoder --input texts.txt
            ingot embed --model models/all-MiniLM-L6-v2 --input texts.jsonl --output vectors.safetensors
            ingot embed --model runs/encoder --input texts.txt --pooling cls --truncation --output vectors.jsonl
            """);
        return command;
    }

    private static int WriteTensor(string path, IEnumerable<float[]> vectors, int width, Interruption interruption)
    {
        try
        {
            float[] all = [.. vectors.SelectMany(vector => vector)];
            var source = new SafetensorsSource("embeddings", SafetensorsDtype.F32, [all.Length / width, width],
                (offset, destination) => MemoryMarshal.AsBytes<float>(all).Slice(checked((int)offset), destination.Length)
                .CopyTo(destination));
            string partial = path + ".partial";
            using (FileStream file = File.Create(partial))
            {
                SafetensorsWriter.Write(file, [source], SafetensorsWriter.PyTorchMetadata);
            }

            File.Move(partial, path, overwrite: true);
            return ExitCodes.Success;
        }
        catch (OperationCanceledException)
        {
            return interruption.ExitCode;
        }
    }
}
