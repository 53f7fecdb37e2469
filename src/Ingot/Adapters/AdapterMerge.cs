using System.Text;
using Ingot.Bindings;
using Ingot.Checkpoints;
using Ingot.Generation;
using Ingot.Graphs;

namespace Ingot.Adapters;

/// <summary>
/// Puts adapters into the weights of model folders and takes them out again. Tensors are worked on one after the other, so that the
/// memory that it takes does not grow with the model; each keeps its dtype, and those without an adapter every bit.
/// </summary>
public static class AdapterMerge
{
    // What belongs to a checkpoint of training, to an adapter or to weights in other formats, and not to a model.
    private static readonly string[] LeftOut =
    [
        "optimizer.safetensors", "trainer_state.json", "manifest.json", AdapterFiles.ConfigName, AdapterFiles.WeightsName,
        ModelWeights.IndexName, ModelFiles.WeightsName,
    ];

    private static readonly string[] CopiedEndings = [".json", ".txt", ".model", ".jinja", ".md", ".tiktoken"];

    /// <summary>Writes a folder that holds a base model with an adapter merged into its weights.</summary>
    /// <param name="baseFolder">The base model.</param>
    /// <param name="adapterFolder">The adapter.</param>
    /// <param name="output">The new folder, which must not be there or be empty.</param>
    /// <param name="onProgress">Told how many bytes are written, and of how many.</param>
    /// <exception cref="IOException">A file is missing, cannot be read or written, or the new folder is there already.</exception>
    /// <exception cref="InvalidDataException">A file's content is wrong, or the adapter was made for another model.</exception>
    public static void Merge(string baseFolder, string adapterFolder, string output, Action<long, long>? onProgress = null) =>
        Write(baseFolder, adapterFolder, output, (adapter, weight) => adapter.Merge(weight), replace: true, onProgress);

    /// <summary>Writes a folder that holds the base model that an adapter was merged into, up to rounding.</summary>
    /// <param name="mergedFolder">The merged model.</param>
    /// <param name="adapterFolder">The adapter that is in it.</param>
    /// <param name="output">The new folder, which must not be there or be empty.</param>
    /// <param name="onProgress">Told how many bytes are written, and of how many.</param>
    /// <exception cref="NotSupportedException">The base's weights are lost: DoRA, or modules that were trained whole.</exception>
    public static void Unmerge(string mergedFolder, string adapterFolder, string output, Action<long, long>? onProgress = null) =>
        Write(mergedFolder, adapterFolder, output, (adapter, weight) => adapter.Unmerge(weight), replace: false, onProgress);

    private delegate void Change(LoraWeights adapter, Span<float> weight);

    private static void Write(
        string folder, string adapterFolder, string output, Change change, bool replace, Action<long, long>? onProgress)
    {
        var (tensors, model) = AdapterFiles.Open(folder, adapterFolder);
        using var _ = tensors;
        if (!replace && model.Lora.UseDora)
            throw new NotSupportedException(LoraWeights.DoraStays);
        if (!replace && model.Lora.ModulesToSave.Count > 0)
        {
            throw new NotSupportedException($"the adapter replaced {string.Join(", ", model.Lora.ModulesToSave)} of the base as a whole "
                + "(modules_to_save): what was there before is lost, so keep the base itself");
        }

        // The adapter alone; the base stays in its files.
        using var adapter = new ParameterStore(
            Device.Cpu, [.. model.DeclareParameters().Where(p => model.IsTrained(p.Name))], DType.F32, training: false);
        AdapterFiles.LoadWeights(adapterFolder, model, adapter);
        var layers = model.LinearLayers().Where(l => l.IsAdapted).ToDictionary(l => l.Name + ".weight");

        // A head that the base does not have comes in the dtype of the base.
        var usual = tensors[tensors.Model.TokenTableName].Dtype;
        var (done, all) = (0L, 0L);
        var sources = tensors.Parameters.Select(p =>
        {
            var tensor = tensors.Missing.Contains(p.Name) ? null : tensors[p.Name];
            var dtype = tensor?.Dtype ?? usual;
            var length = checked(p.Elements * (dtype.Bits() / 8));
            all = checked(all + length);
            Func<float[]>? values = layers.TryGetValue(p.Name, out var layer) ? () => Changed(tensor!, layer)
                : model.IsTrained(p.Name) ? () => adapter.Read(p.Name) : null;
            byte[]? bytes = null;
            return new SafetensorsSource(p.Name, dtype, p.Shape, (offset, destination) =>
            {
                if (values is null)
                {
                    tensor!.CopyTo(offset, destination);
                }
                else
                {
                    bytes ??= Encoded(values(), dtype);
                    bytes.AsSpan((int)offset, destination.Length).CopyTo(destination);
                }

                if (offset + destination.Length == length)
                    bytes = null;
                onProgress?.Invoke(done += destination.Length, all);
            });
        }).ToList();

        using var result = new NewFolder(output);
        result.RequireSpace(all);
        foreach (var file in Directory.GetFiles(folder).Where(IsCopied))
        {
            var name = Path.GetFileName(file);
            // Of an encoder-decoder that says what texts begin with, such as a language.
            var ofAdapter = Path.Combine(adapterFolder, name);
            var isReplaced = replace && name == GenerationConfig.FileName && model.EncoderDecoder is not null && File.Exists(ofAdapter);
            result.Write(name, name == ModelFiles.ConfigName && tensors.HasNewHead
                ? Encoding.UTF8.GetBytes(ModelFiles.ConfigText(tensors.Model)) : File.ReadAllBytes(isReplaced ? ofAdapter : file));
        }

        result.Write(ModelFiles.WeightsName, CheckpointFile.Safetensors(ModelFiles.WeightsName, sources).WriteTo);
        result.Finish();

        float[] Changed(SafetensorsTensor tensor, LoraLayer layer)
        {
            var weight = new float[TensorFloats.ElementsOf(tensor)];
            TensorFloats.Read(tensor, 0, weight);
            change(LoraWeights.Read(adapter, model.Lora, layer), weight);
            return weight;
        }
    }

    private static bool IsCopied(string path) =>
        !LeftOut.Contains(Path.GetFileName(path)) && CopiedEndings.Contains(Path.GetExtension(path).ToLowerInvariant());

    private static byte[] Encoded(float[] values, SafetensorsDtype dtype)
    {
        var bytes = new byte[checked(values.Length * (dtype.Bits() / 8))];
        TensorFloats.Write(values, dtype, bytes);
        return bytes;
    }
}
